"""Guesses at what a request writes next, looked up in what it has read and written: much of what a coding agent writes
is a copy of what it was shown.

A pass over a few rows takes hardly longer than over one. So guessed tokens are computed beside the known one, and as
many are kept as are what the policy draws there, one draw a token: what comes out, and how likely it was, is what would
have come without, but for the rounding of a pass of more rows.

Source: prompt lookup decoding (Saxena, 2023), a kind of speculative decoding (Leviathan et al., ICML 2023).
"""

# Tokens that have to stand somewhere before, as the last ones do, for what followed there to be a guess.
MATCHED = 3
FIRST_DRAFT = 3
LONGEST_DRAFT = 7
# After guesses of which none was right, passes without any: 2, 4, ... of them, so that misses cost next to nothing.
LONGEST_REST = 32


class Drafts:
    """One request's. It sees that request's tokens alone: nothing of another's can be told by how fast it is."""

    def __init__(self, ids: list[int]) -> None:
        self._ids = ids[:MATCHED]
        # Where the latest occurrence of so many tokens ends.
        self._ends: dict[tuple[int, ...], int] = {}
        self._length = FIRST_DRAFT
        self._misses = 0
        self._rest = 0
        for token in ids[MATCHED:]:
            self.append(token)

    def append(self, token: int) -> None:
        """The request's next token."""
        if len(self._ids) >= MATCHED:
            self._ends[tuple(self._ids[-MATCHED:])] = len(self._ids)
        self._ids.append(token)

    def next(self, limit: int) -> list[int]:
        """A guess at the next tokens, at most `limit`; [] where there is none, or none is worth a pass of more rows."""
        if self._rest > 0:
            self._rest -= 1
            return []
        end = self._ends.get(tuple(self._ids[-MATCHED:]))
        return [] if end is None else self._ids[end : end + min(limit, self._length)]

    def judge(self, guessed: int, right: int) -> None:
        """What became of a guess: how many of its tokens were right."""
        if right == 0:
            self._misses += 1
            self._rest = min(2**self._misses, LONGEST_REST)
            self._length = FIRST_DRAFT
            return
        self._misses = 0
        self._length = min(2 * guessed + 1, LONGEST_DRAFT) if right == guessed else max(right, FIRST_DRAFT)
