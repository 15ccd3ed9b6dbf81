"""Continuous batching: which requests run, what each pass computes, and what becomes of its logits.

One pass takes a token of every decoding request and a piece of the prompts that are still to be read, so that a long
prompt slows running streams but never stops them. Single-threaded; `engine.py` owns threads and adapters' files.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence

import torch

from .drawing import Drawn, draw, draw_together
from .engine_request import Request
from .event_stream import EventStream
from .json_lines import Message
from .kv_cache import KvSequence, PrefixCache
from .lora import Adapter
from .ragged_model import RaggedModel, Tokens
from .sampling import scores

# Prompt tokens in one pass. Beside decoding requests the pass must stay short: it is the gap in their streams.
PREFILL_TOKENS = 256
PREFILL_TOKENS_BESIDE_DECODING = 48
# On a GPU a pass of so many takes hardly longer than one of a token.
GPU_PREFILL_TOKENS = 2048
GPU_PREFILL_TOKENS_BESIDE_DECODING = 512
# Rows of a pass, guessed ones among them (drafts.py). With the default model on 2 cores a pass takes 1.3 times as long
# for 4 rows as for one, and 1.7 times for 8.
DRAFT_ROWS = 8


class Scheduler:
    def __init__(
        self,
        model: RaggedModel,
        max_running: int,
        cache_bytes: int,
        write: Callable[[Sequence[Message]], None],
        draft_rows: int = DRAFT_ROWS,
    ) -> None:
        """`draft_rows`: rows of a pass up to which tokens are guessed; 0: none are."""
        self._model = model
        self._max_running = max_running
        self._draft_rows = draft_rows
        on_cpu = model.kv_shape.device.type == "cpu"
        self._prefill = PREFILL_TOKENS if on_cpu else GPU_PREFILL_TOKENS
        self._prefill_beside = PREFILL_TOKENS_BESIDE_DECODING if on_cpu else GPU_PREFILL_TOKENS_BESIDE_DECODING
        self._cache = PrefixCache(cache_bytes)
        self._events = EventStream(write)
        self._waiting: deque[Request] = deque()
        self._running: list[Request] = []
        self.paused = False
        # While new weights wait for their turn nobody new is let in.
        self.draining = False

    @property
    def has_work(self) -> bool:
        return not self.paused and bool(self._running or (self._waiting and not self.draining))

    @property
    def running_count(self) -> int:
        return len(self._running)

    def uses(self, adapter: Adapter) -> bool:
        return any(request.adapter is adapter for request in (*self._running, *self._waiting))

    def pause(self, paused: bool) -> None:
        """No pass is computed while paused; what the last ones gave is told."""
        self.paused = paused
        self._events.flush()

    def submit(self, request: Request) -> None:
        self._waiting.append(request)

    def abort(self, rid: str) -> None:
        for request in [*self._waiting, *self._running]:
            if request.rid == rid:
                self._finish(request, "abort", None)
        self._events.flush()

    def forget(self, adapter: Adapter) -> None:
        self._cache.drop(adapter)

    def forget_scope(self, scope: str) -> None:
        self._cache.drop_scope(scope)

    def replace_model(self, model: RaggedModel) -> None:
        """Only while nothing runs. What the old weights computed is dropped."""
        self._model = model
        self._cache.clear()

    def step(self) -> None:
        """One forward pass over everything that runs."""
        self._admit()
        batch = self._next_batch()
        logits_WV = self._model.forward([tokens for _, tokens in batch])
        with torch.inference_mode():
            logits = logits_WV.split([len(tokens.logits_at) for _, tokens in batch])
            drawn = self._drawn_together([(request, of) for (request, _), of in zip(batch, logits, strict=True)])
            for (request, tokens), logits_NV in zip(batch, logits, strict=True):
                self._advance(request, logits_NV, tokens.ids, drawn.get(request.rid))
        self._events.flush_due()

    def _drawn_together(self, computed: list[tuple[Request, torch.Tensor]]) -> dict[str, list[Drawn]]:
        """By request, what its rows generate: empty on a processor, where each is drawn when its turn comes."""
        if self._model.kv_shape.device.type == "cpu":
            return {}
        rows = [(request, logits_NV[-request.generated_rows(len(logits_NV)) :]) for request, logits_NV in computed]
        generating = [(request, logits_NV) for request, logits_NV in rows if request.generates]
        tokens = draw_together(generating)
        return {request.rid: of for (request, _), of in zip(generating, tokens, strict=True)}

    def _admit(self) -> None:
        while self._waiting and len(self._running) < self._max_running and not self.draining:
            request = self._next_waiting()
            self._waiting.remove(request)
            kv = KvSequence(self._model.kv_shape, len(request.prompt_ids) + min(request.max_new_tokens, 256))
            shared = self._cache.longest(
                request.adapter,
                request.scope,
                request.prompt_ids,
                request.reusable_tokens,
                [other.as_prefix() for other in self._running],
            )
            if shared is not None:
                source, request.cached_tokens = shared
                kv.copy_prefix(source, request.cached_tokens)
            request.kv = kv
            if request.scores_input:
                request.input_logprobs.append(None)
                request.input_top.append(None)
            self._running.append(request)

    def _next_waiting(self) -> Request:
        """The oldest of the users with the fewest running requests: who sends many waits behind themselves."""
        running = Counter(request.scope for request in self._running)
        return min(self._waiting, key=lambda request: running[request.scope])

    def _next_batch(self) -> list[tuple[Request, Tokens]]:
        decoding = sum(not request.prefilling for request in self._running)
        budget = self._prefill_beside if decoding else self._prefill
        alone = decoding == len(self._running)
        draft_limit = max(0, self._draft_rows // decoding - 1) if decoding and alone else 0
        batch: list[tuple[Request, Tokens]] = []
        for request in self._running:
            assert request.kv is not None
            ids = request.next_ids(budget, draft_limit)
            if not ids:
                continue
            if request.prefilling:
                budget -= len(ids)
            batch.append((request, Tokens(request.adapter, request.kv, ids, request.wanted_logits(len(ids)))))
        # One slice of rows for each adapter; ids of live objects are as good an order as any.
        return sorted(batch, key=lambda item: 0 if item[1].adapter is None else id(item[1].adapter))

    def _advance(self, request: Request, logits_NV: torch.Tensor, ids: list[int], drawn: list[Drawn] | None) -> None:
        """Takes the logits of what was just computed: prompt scores first, then the next tokens. `drawn`: these, where
        they have been drawn already."""
        assert request.kv is not None
        done = request.kv.length
        if request.output_ids:
            self._generate(request, logits_NV, ids[1:], drawn)
            return
        if request.scores_input:
            self._score_input(request, logits_NV, done - len(ids))
        if done < len(request.prompt_ids):
            return
        self._events.send(
            {
                "type": "input",
                "rid": request.rid,
                "cached_tokens": request.cached_tokens,
                "logprobs": request.input_logprobs if request.return_logprob else None,
                "top": request.input_top if request.return_logprob and request.top_logprobs_num else None,
            }
        )
        if request.max_new_tokens == 0:
            self._finish(request, "length", None)
            return
        self._generate(request, logits_NV[-1:], [], drawn)

    def _score_input(self, request: Request, logits_NV: torch.Tensor, start: int) -> None:
        first = max(start, request.logprob_start_len) + 1
        targets = request.prompt_ids[first : first + len(logits_NV)]
        if not targets:
            return
        targets_N = torch.tensor(targets, device=logits_NV.device)
        logprobs, top = scores(logits_NV[: len(targets)], targets_N, request.top_logprobs_num)
        request.input_logprobs += logprobs
        request.input_top += top or []

    def _generate(self, request: Request, logits_NV: torch.Tensor, guess: list[int], drawn: list[Drawn] | None) -> None:
        """One token, and another for each guessed one that was right. `logits_NV`: after what is known, then after each
        of `guess`, whose keys and values are in the cache and stay there as far as they were right."""
        assert request.kv is not None
        known = request.kv.length - len(guess)
        right = 0
        for row, guessed in enumerate([*guess, None]):
            request.kv.length = known + right
            token = self._take(request, draw(request, logits_NV[row]) if drawn is None else drawn[row])
            if token in request.stop_token_ids:
                self._finish(request, "stop", token)
                return
            if len(request.output_ids) >= request.max_new_tokens:
                self._finish(request, "length", None)
                return
            if token != guessed:
                break
            right += 1
        if guess and request.drafts is not None:
            request.drafts.judge(len(guess), right)

    def _take(self, request: Request, drawn: Drawn) -> int:
        request.take(drawn.token)
        logprobs = None if drawn.logprob is None else [drawn.logprob]
        self._events.send_token(request.rid, drawn.token, logprobs, None if drawn.top is None else [drawn.top])
        return drawn.token

    def _finish(self, request: Request, reason: str, matched: int | None) -> None:
        if request in self._running:
            self._running.remove(request)
            self._cache.keep(request.as_prefix())
        else:
            self._waiting.remove(request)
        self._events.send(
            {"type": "finish", "rid": request.rid, "reason": reason, "matched": matched, "code": None, "message": None}
        )
