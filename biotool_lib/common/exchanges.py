"""What was said to language models and what it cost: one SQLite file per stage, and a budget that stops before it is exceeded."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import BioToolError, InvalidParameter, Problem
from ..files import read_yaml
from .runner import dumps

_TABLES = """
create table if not exists exchanges (digest text primary key, request text not null, answer text not null);
create table if not exists charges (id integer primary key, digest text not null, model text not null,
                                    input integer not null, output integer not null, basis text not null);
"""


class BudgetSpent(BioToolError):
    """The next request might exceed the budget; everything answered so far is kept."""


class Exchanges:
    """Every answered request by its digest, and every charge; survives a kill and may be read while it is written.

    Example: `Exchanges("runs/laptop/exchanges/questions.sqlite")`
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._base = sqlite3.connect(self.path, timeout=30, check_same_thread=False)
        with self._lock, self._base:
            self._base.executescript(_TABLES)

    def get(self, digest: str) -> str | None:
        """The stored answer to a request, or None."""
        with self._lock:
            row = self._base.execute("select answer from exchanges where digest = ?", (digest,)).fetchone()
        return row[0] if row else None

    def put(self, digest: str, request: Mapping[str, Any], answer: str, charge: int, used: tuple[int, int], basis: str) -> None:
        """Store an answer and what it cost in one step, so that a kill leaves both or neither."""
        with self._lock, self._base:
            self._base.execute("insert or replace into exchanges values (?, ?, ?)", (digest, dumps(request), answer))
            self._base.execute("update charges set input = ?, output = ?, basis = ? where id = ?", (*used, basis, charge))

    def charge(self, digest: str, model: str, most: tuple[int, int]) -> int:
        """Note a request before it is sent, at the most that it can cost: if we are killed now it may have been billed."""
        with self._lock, self._base:
            done = self._base.execute("insert into charges (digest, model, input, output, basis) values (?, ?, ?, ?, 'bound')", (digest, model, *most))
            return int(done.lastrowid or 0)

    def waive(self, charge: int) -> None:
        """A request that was refused cost nothing."""
        with self._lock, self._base:
            self._base.execute("delete from charges where id = ?", (charge,))

    def charges(self) -> dict[str, tuple[int, int]]:
        """Tokens charged so far for each model, as (input, output)."""
        with self._lock:
            rows = self._base.execute("select model, sum(input), sum(output) from charges group by model").fetchall()
        return {model: (int(i), int(o)) for model, i, o in rows}

    def bases(self) -> dict[str, int]:
        """How many charges rest on the server's own count (`reported`) and how many on the upper bound (`bound`)."""
        with self._lock:
            return dict(self._base.execute("select basis, count(*) from charges group by basis order by basis").fetchall())

    def __len__(self) -> int:
        with self._lock:
            return int(self._base.execute("select count(*) from exchanges").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._base.close()


def load_prices(path: str | Path) -> dict[str, dict[str, float]]:
    """Prices per million tokens from a YAML file `{model: {input: 0.25, output: 2.0}}`; raises InvalidParameter for other content."""
    try:
        prices = read_yaml(Path(path))
    except OSError as wrong:
        raise InvalidParameter("prices", [Problem("file", str(path), f"cannot be read: {wrong.strerror}")]) from wrong
    return check_prices(prices)


def check_prices(prices: Any) -> dict[str, dict[str, float]]:
    """The prices themselves; raises InvalidParameter where one is missing, negative or not a number."""
    if not isinstance(prices, Mapping):
        raise InvalidParameter("prices", [Problem("prices", prices, "a mapping of model names to {input, output} is needed")])
    problems = [
        Problem(f"{model}.{side}", entry.get(side) if isinstance(entry, Mapping) else entry, "money per million tokens, 0 or more")
        for model, entry in prices.items() for side in ("input", "output") if not isinstance(entry, Mapping) or not _is_price(entry.get(side))
    ]
    if problems:
        raise InvalidParameter("prices", problems)
    return {str(model): {side: float(entry[side]) for side in ("input", "output")} for model, entry in prices.items()}


def _is_price(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")


class Meter:
    """Counts tokens and money of one file of exchanges, over all its interruptions, and guards the budget.

    A request is admitted only if what was spent, what is in flight and the most that it can take itself fit into the
    budget together. A model without a price costs an unknown sum, never zero: a budget in money then raises InvalidParameter.
    Example: `Meter(Exchanges(path), prices={"m": {"input": 0.2, "output": 1.0}}, budget_money=5.0)`
    """

    def __init__(self, exchanges: Exchanges, prices: Mapping[str, Mapping[str, float]] | None = None, *,
                 budget_tokens: int | None = None, budget_money: float | None = None) -> None:
        self.exchanges, self.prices = exchanges, check_prices(prices or {})
        self.budget_tokens, self.budget_money = budget_tokens, budget_money
        self._spent = exchanges.charges()
        self._open: dict[int, tuple[str, int, int]] = {}
        self._changed = threading.Condition()
        self.requests = self.from_cache = 0

    def reserve(self, digest: str, model: str, most: tuple[int, int]) -> int:
        """Admit a request that takes at most `most` (input, output) tokens; raises BudgetSpent where it might not fit.

        Where only requests in flight stand in the way, it waits until they are settled at what they really took.
        """
        if self.budget_money is not None and model not in self.prices:
            raise InvalidParameter("budget", [Problem("price", model, "has no price, so money cannot be counted: add it, or set a budget in tokens")])
        with self._changed:
            while True:
                if self._fits(model, most):
                    break
                if not self._open:
                    raise BudgetSpent(self._spent_message(most))
                self._changed.wait()
            charge = self.exchanges.charge(digest, model, most)
            self._open[charge] = (model, *most)
            self.requests += 1
            return charge

    def settle(self, charge: int, used: tuple[int, int] | None = None) -> tuple[int, int]:
        """Close a request at what it took; without a figure it stays at its upper bound, as it does when its answer was lost."""
        with self._changed:
            model, *most = self._open.pop(charge)
            taken = used if used is not None else (most[0], most[1])
            before = self._spent.get(model, (0, 0))
            self._spent[model] = (before[0] + taken[0], before[1] + taken[1])
            self._changed.notify_all()
            return taken

    def waive(self, charge: int) -> None:
        """Close a request that cost nothing: it was refused, or never reached the server."""
        with self._changed:
            del self._open[charge]
            self.exchanges.waive(charge)
            self._changed.notify_all()

    def tokens(self) -> int:
        """All tokens spent so far."""
        return sum(i + o for i, o in self._spent.values())

    def cost(self) -> float | None:
        """Money spent so far, or None where a model has no price."""
        return self._money(self._spent)

    def summary(self) -> dict[str, Any]:
        """What a manifest says of the cost: tokens of each model, money or None, and how many charges are upper bounds."""
        spent = {model: {"input": i, "output": o} for model, (i, o) in sorted(self._spent.items())}
        cost = self.cost()
        return {"tokens": spent, "cost": None if cost is None else round(cost, 6), "charges": self.exchanges.bases()}

    def _fits(self, model: str, most: tuple[int, int]) -> bool:
        totals = dict(self._spent)
        for name, i, o in [*self._open.values(), (model, *most)]:
            before = totals.get(name, (0, 0))
            totals[name] = (before[0] + i, before[1] + o)
        if self.budget_tokens is not None and sum(i + o for i, o in totals.values()) > self.budget_tokens:
            return False
        if self.budget_money is None:
            return True
        money = self._money(totals)
        if money is None:
            unknown = sorted(set(totals) - set(self.prices))
            raise InvalidParameter("budget", [Problem("price", name, "was used before and has no price: add it") for name in unknown])
        return money <= self.budget_money

    def _money(self, totals: Mapping[str, tuple[int, int]]) -> float | None:
        if any(model not in self.prices and sum(used) for model, used in totals.items()):
            return None
        return sum((i * self.prices[m]["input"] + o * self.prices[m]["output"]) / 1e6 for m, (i, o) in totals.items() if i + o)

    def _spent_message(self, most: tuple[int, int]) -> str:
        cost = self.cost()
        money = "an unknown sum" if cost is None else f"{cost:.4f}"
        limits = [f"{self.budget_tokens} tokens"] if self.budget_tokens is not None else []
        limits += [f"{self.budget_money} in money"] if self.budget_money is not None else []
        return (f"the budget of {' and '.join(limits)} does not cover the next request, which may take up to {sum(most)} tokens; {self.tokens()} tokens"
                f" and {money} are spent. Every answer so far is kept: raise the budget and give the same command to go on")
