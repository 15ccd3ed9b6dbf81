"""A request inside the engine: what was asked for, how far it is, and what it still owes."""

from dataclasses import dataclass, field

import torch

from .drafts import Drafts
from .json_lines import Message
from .kv_cache import CachedPrefix, KvSequence
from .lora import Adapter
from .sampling import TopList


@dataclass
class Request:
    rid: str
    # Whose it is: what one scope had computed is never copied into a request of another.
    scope: str
    prompt_ids: list[int]
    adapter: Adapter | None
    max_new_tokens: int
    temperature: float
    top_p: float
    top_k: int
    stop_token_ids: frozenset[int]
    return_logprob: bool
    # -1: no logprobs of the prompt.
    logprob_start_len: int
    top_logprobs_num: int
    generator: torch.Generator
    kv: KvSequence | None = None
    cached_tokens: int = 0
    output_ids: list[int] = field(default_factory=list)
    input_logprobs: list[float | None] = field(default_factory=list)
    input_top: list[TopList | None] = field(default_factory=list)
    # None until the first token is generated.
    drafts: Drafts | None = None
    _uniforms: list[float] = field(default_factory=list)

    @classmethod
    def from_command(cls, command: Message, adapter: Adapter | None) -> "Request":
        """A `submit` command as the gpu-worker wrote it: validated there, trusted here."""
        generator = torch.Generator()
        if command["seed"] is None:
            generator.seed()
        else:
            generator.manual_seed(command["seed"])
        return cls(
            rid=command["rid"],
            scope=command["scope"],
            prompt_ids=command["input_ids"],
            adapter=adapter,
            max_new_tokens=command["max_new_tokens"],
            temperature=command["temperature"],
            top_p=command["top_p"],
            top_k=command["top_k"],
            stop_token_ids=frozenset(command["stop_token_ids"]),
            return_logprob=command["return_logprob"],
            logprob_start_len=command["logprob_start_len"] if command["return_logprob"] else -1,
            top_logprobs_num=command["top_logprobs_num"],
            generator=generator,
        )

    @property
    def scores_input(self) -> bool:
        return self.logprob_start_len >= 0

    @property
    def reusable_tokens(self) -> int:
        """How much of the prompt may come from a cache: logits are needed from the position that precedes the first
        scored token, or else from the last one."""
        last = len(self.prompt_ids) - 1
        return min(self.logprob_start_len, last) if self.scores_input else last

    @property
    def prefilling(self) -> bool:
        return self.kv is None or self.kv.length < len(self.prompt_ids)

    def next_ids(self, budget: int, draft_limit: int) -> list[int]:
        """The tokens that the next pass computes: a piece of the prompt, or the last sampled token and at most
        `draft_limit` guesses at those after it."""
        assert self.kv is not None
        if self.prefilling:
            return self.prompt_ids[self.kv.length : self.kv.length + budget]
        limit = min(draft_limit, self.max_new_tokens - len(self.output_ids) - 1)
        guess = [] if self.drafts is None or limit <= 0 else self.drafts.next(limit)
        return self.output_ids[-1:] + guess

    def uniform(self, place: int) -> float:
        """The number in [0, 1) by which the token at that place of the output is drawn: of the seed and the place
        alone, however often it is asked for."""
        while len(self._uniforms) <= place:
            self._uniforms.append(torch.rand((), dtype=torch.float64, generator=self.generator).item())
        return self._uniforms[place]

    def take(self, token: int) -> None:
        """A generated token."""
        if self.drafts is None:
            self.drafts = Drafts(self.prompt_ids)
        self.drafts.append(token)
        self.output_ids.append(token)

    def wanted_logits(self, count: int) -> list[int]:
        """Offsets among the next `count` tokens whose logits are read: those that predict a scored prompt token, and
        the last one of the prompt or the sampled and guessed ones when something is to be generated."""
        assert self.kv is not None
        start, last = self.kv.length, len(self.prompt_ids) - 1
        if not self.prefilling:
            return list(range(count))
        first_scored = self.logprob_start_len if self.scores_input else last
        until = last + 1 if self.max_new_tokens > 0 else last
        return [offset for offset in range(count) if first_scored <= start + offset < until]

    @property
    def generates(self) -> bool:
        """Does what has just been computed tell a next token?"""
        return self.max_new_tokens > 0 and not self.prefilling

    def generated_rows(self, count: int) -> int:
        """How many of the last of `count` rows of logits tell tokens of the output: after the prompt has been read its
        last one, later all."""
        return count if self.output_ids else 1

    def as_prefix(self) -> CachedPrefix:
        assert self.kv is not None
        return CachedPrefix(self.adapter, self.scope, self.prompt_ids + self.output_ids, self.kv)
