"""What SGLang's wheel says of its own HTTP and command line: classes with fields, dict keys, routes, flags, as JSON.

Read with ast out of the wheel as it was downloaded; nothing of it is imported or run, so no GPU and none of its
packages are needed. Usage: python read_source.py WHEEL. Prints {classes, keys, routes, flags}.
"""

import ast
import json
import sys
import zipfile
from typing import Any

SOURCES = {
    "classes": [
        "sglang/srt/managers/io_struct.py",
        "sglang/srt/sampling/sampling_params.py",
        "sglang/srt/entrypoints/openai/protocol.py",
        "sglang/srt/function_call/core_types.py",
    ],
    "keys": [
        "sglang/srt/managers/tokenizer_manager.py",
        "sglang/srt/managers/schedule_batch.py",
        "sglang/srt/managers/scheduler.py",
        "sglang/srt/entrypoints/http_server.py",
    ],
}
ROUTES = "sglang/srt/entrypoints/http_server.py"
FLAGS = "sglang/srt/arg_groups/fields/"
SERVER_ARGS = "sglang/srt/server_args.py"

NOT_A_CONSTANT = {"computed": True}


def atoms(annotation: ast.expr) -> list[str]:
    """The alternatives of a type: `Optional[List[int]]` is list and None, `Literal["a"]` is "a"."""
    match annotation:
        case ast.Constant(value=None):
            return ["None"]
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return [{"List": "list", "Dict": "dict", "Set": "list", "set": "list"}.get(name, name)]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return [*atoms(left), *atoms(right)]
        case ast.Subscript(value=value, slice=inside):
            (outer,) = atoms(value)
            members = inside.elts if isinstance(inside, ast.Tuple) else [inside]
            if outer == "Optional":
                return [*atoms(inside), "None"]
            if outer == "Union":
                return [atom for member in members for atom in atoms(member)]
            if outer in ("Annotated", "A"):
                return atoms(members[0])
            if outer == "Literal":
                return [json.dumps(ast.literal_eval(member)) for member in members]
            return [outer]
    return ["other"]


def default_of(value: ast.expr, constants: dict[str, Any]) -> Any:
    """`{"is": value}`, or that it is computed. `field(default=...)` and `Field(default=...)` are looked into."""
    if isinstance(value, ast.Call):
        named = [keyword.value for keyword in value.keywords if keyword.arg == "default"]
        return default_of(named[0], constants) if named else NOT_A_CONSTANT
    if isinstance(value, ast.Name) and value.id in constants:
        return {"is": constants[value.id]}
    try:
        return {"is": ast.literal_eval(value)}
    except ValueError:
        return NOT_A_CONSTANT


def constants_of(tree: ast.Module) -> dict[str, Any]:
    """Names that the file gives a plain value, shifts included (`1 << 30`)."""
    found: dict[str, Any] = {}
    for node in tree.body:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        match node.value:
            case ast.BinOp(left=ast.Constant(value=int(left)), op=ast.LShift(), right=ast.Constant(value=int(right))):
                found[node.targets[0].id] = left << right
            case ast.Constant(value=value):
                found[node.targets[0].id] = value
    return found


def fields_of(node: ast.ClassDef, constants: dict[str, Any]) -> dict[str, Any]:
    """Annotated fields of a class: the alternatives of their type, and the default where there is one."""
    fields: dict[str, Any] = {}
    for line in node.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            default = {} if line.value is None else {"default": default_of(line.value, constants)}
            fields[line.target.id] = {"types": atoms(line.annotation), **default}
    return fields


def classes_of(tree: ast.Module) -> dict[str, Any]:
    """Classes of a file with their fields, those of base classes in the same file among them."""
    constants = constants_of(tree)
    classes: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            inherited = [classes.get(base.id, {}) for base in node.bases if isinstance(base, ast.Name)]
            classes[node.name] = {
                **{name: field for base in inherited for name, field in base.items()},
                **fields_of(node, constants),
            }
    return classes


def keys_of(tree: ast.Module) -> dict[str, list[str]]:
    """Functions with the string keys of the dicts that they write: in a literal, by subscript, by keyword."""
    functions: dict[str, list[str]] = {}
    owners = [(node.name + ".", node.body) for node in tree.body if isinstance(node, ast.ClassDef)]
    for owner, body in [("", tree.body), *owners]:
        for function in body:
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            keys: set[str] = set()
            for node in ast.walk(function):
                if isinstance(node, ast.Dict):
                    keys |= {key.value for key in node.keys if isinstance(key, ast.Constant)}
                elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
                    keys.add(node.slice.value)
                elif isinstance(node, ast.Call):
                    keys |= {keyword.arg for keyword in node.keywords if keyword.arg}
            functions[owner + function.name] = sorted(str(key) for key in keys)
    return functions


def routes_of(tree: ast.Module) -> dict[str, Any]:
    """Paths with their methods, and who may call them: `admin` where the admin key is asked for when there is one."""
    routes: dict[str, Any] = {}
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        admin = any("ADMIN" in ast.dump(one) for one in node.decorator_list)
        for decorator in node.decorator_list:
            match decorator:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="app"), attr=verb), args=[ast.Constant(value=path)]):
                    named = [keyword.value for keyword in decorator.keywords if keyword.arg == "methods"]
                    methods = ast.literal_eval(named[0]) if named else [verb.upper()]
                    routes[path] = {"methods": methods, "admin": admin}
    return routes


def flags_of(wheel: zipfile.ZipFile) -> dict[str, Any]:
    """Every flag of launch_server by its long name, with type and default; those that are registered by hand too."""
    flags: dict[str, Any] = {}
    for name in wheel.namelist():
        if not name.startswith(FLAGS) or not name.endswith(".py"):
            continue
        for fields in classes_of(ast.parse(wheel.read(name))).values():
            for field, told in fields.items():
                flags["--" + field.replace("_", "-")] = told
    return flags


def main() -> None:
    """Prints what is read as one JSON object."""
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        trees = {name: ast.parse(wheel.read(name)) for names in SOURCES.values() for name in names}
        read = {
            "classes": {
                name: fields for file in SOURCES["classes"] for name, fields in classes_of(trees[file]).items()
            },
            "keys": {name: keys for file in SOURCES["keys"] for name, keys in keys_of(trees[file]).items()},
            "routes": routes_of(trees[ROUTES]),
            "flags": flags_of(wheel),
        }
    sys.stdout.write(json.dumps(read))


if __name__ == "__main__":
    main()
