"""Read pickles without running them: opcodes are interpreted here; nothing that they name is imported or called.

Plain values are read as such. An import becomes a `Name`, and a call becomes a `Record`, unless one of gancli's own
functions replaces that name. Containers may contain themselves, so traverse them with care.
"""

import pickletools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from gancli.system.untrusted.bounds import MOST_OPCODES, Bounds

MOST_MARKS = 10_000
MOST_BITS = 4096
LONGEST_NAME = 1000
PROTOCOLS = range(6)


# ------------------------------------------------------------------------------------------------ names and records


@dataclass(frozen=True, slots=True)
class Name:
    """The name of a class or function that a pickle would import."""

    module: str
    name: str

    def __post_init__(self) -> None:
        if len(self.module) + len(self.name) > LONGEST_NAME:
            raise ValueError(f"it holds a name longer than {LONGEST_NAME:,} characters")

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False, repr=False, slots=True)
class Record:
    """A call that was not made, with the state and items for its result: usually an object of an unknown class."""

    function: "Name | Record"
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)  # of a subclass of dict
    members: list[Any] = field(default_factory=list)  # of a subclass of list or set
    finish: Callable[[Any], Any] | None = None  # turns the state into the value, if a form defines it
    name: str = ""  # of the function
    place: int = -1  # its index in the memo

    def __post_init__(self) -> None:
        self.name = named(self.function)

    def __repr__(self) -> str:
        return f"Record({self.name})"

    def fields(self) -> dict[str, Any]:
        """Return the attributes that the object would have, and the items if it is a dict."""
        found: dict[str, Any] = {}
        for part in self.state if isinstance(self.state, tuple) else (self.state,):  # a tuple: slots come second
            found |= part if isinstance(part, dict) else {}
        return found | self.items


def named(value: Any) -> str:
    """Return the name of a `Name` or `Record`, else that of the type; never the value, which can be endless."""
    if isinstance(value, Name):
        return str(value)
    return value.name if isinstance(value, Record) else type(value).__name__


# ------------------------------------------------------------------------------------------------ the machine

Form = Callable[..., Any]  # takes a Machine and the arguments of the call


class Machine:
    """Reads pickles one after the other; `forms` are gancli's functions that replace the names in them."""

    def __init__(
        self, forms: Mapping[str, Form], bounds: Bounds, persistent: Callable[[Any], Any] | None = None
    ) -> None:
        self.forms, self.bounds = forms, bounds
        self.persistent = persistent or (lambda said: Record(Name("pickle", "persistent_load"), (said,)))
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stacks under each mark
        self.memo: dict[int, Any] = {}

    def read(self, file: BinaryIO) -> Any:
        """Return the value of a pickle and leave the file after it; raise ValueError or others if it is not one."""
        self.stack, self.below, self.memo = [], [], {}
        for opcode, argument, _ in _opcodes(file):
            self.bounds.step()
            if opcode.name in VALUES:
                self.stack.append(_short(argument))
            elif opcode.name in ACTIONS:
                ACTIONS[opcode.name](self, argument)
            else:
                raise ValueError(f"its opcode {opcode.name} is not supported")
        return self.pop()

    def push(self, value: Any) -> None:
        """Push a value on the current stack, which marks replace."""
        self.stack.append(value)

    def pop(self) -> Any:
        """Pop the top of the stack."""
        if not self.stack:
            raise ValueError("it is damaged: its stack is empty")
        return self.stack.pop()

    def mark(self) -> None:
        """Set a mark, which begins a sequence."""
        if len(self.below) >= MOST_MARKS:
            raise ValueError(f"it is nested more than {MOST_MARKS:,} deep")
        self.below.append(self.stack)
        self.stack = []

    def marked(self) -> list[Any]:
        """Pop all values since the last mark."""
        if not self.below:
            raise ValueError("it is damaged: a mark is missing")
        values, self.stack = self.stack, self.below.pop()
        return values

    def put(self, place: int) -> None:
        """Store the top of the stack in the memo."""
        if not 0 <= place < MOST_OPCODES:
            raise ValueError(f"its memo has more than {MOST_OPCODES:,} entries")
        self.memo[place] = value = self.peek()
        if isinstance(value, Record):
            value.place = place

    def peek(self) -> Any:
        """Return the top of the stack without popping it."""
        self.stack.append(self.pop())
        return self.stack[-1]

    def get(self, place: int) -> None:
        """Push a value from the memo."""
        if place not in self.memo:
            raise ValueError("it is damaged: it refers to a memo entry that it never stored")
        self.stack.append(self.memo[place])

    def call(self, function: Any, args: Any, kwargs: Any = None) -> Any:
        """Call gancli's form of a function, or record the call."""
        if not isinstance(args, tuple) or not isinstance(kwargs, dict | None):
            raise ValueError("it is damaged: arguments are not a tuple")
        if not isinstance(function, Name | Record):
            raise ValueError(f"it calls something that is not a function ({named(function)})")
        form = self.forms.get(str(function)) if isinstance(function, Name) else None
        self.bounds.take(8 * len(args) if form else 0)  # the same arguments may be used again and again
        return form(self, *args) if form and not kwargs else Record(function, args, kwargs or {})

    def build(self, state: Any) -> None:
        """Set the state of an object; attributes of dicts are ignored."""
        target = self.peek()
        if isinstance(target, Record):
            target.state = state
            if target.finish:
                self._settle(target, target.finish(state))
        elif not isinstance(target, dict):
            raise ValueError(f"it sets the state of something that has none ({named(target)})")

    def _settle(self, record: Record, value: Any) -> None:
        """Replace a record by its value, on the stack and in its one place in the memo."""
        self.stack[-1] = value
        if self.memo.get(record.place) is record:
            self.memo[record.place] = value

    def extend(self, values: list[Any]) -> None:
        """Append to a list or a set."""
        target = self.peek()
        if isinstance(target, set):
            target.update(map(self.bounds.key, values))
        elif isinstance(target, list | Record):
            (target if isinstance(target, list) else target.members).extend(values)
        else:
            raise ValueError(f"it adds to something that is not a list ({named(target)})")

    def assign(self, values: list[Any]) -> None:
        """Set items of a dict, given as alternating keys and values."""
        target = self.peek()
        if not isinstance(target, dict | Record) or len(values) % 2:
            raise ValueError("it is damaged: items without a dict, or without a value")
        items = target if isinstance(target, dict) else target.items
        for i in range(0, len(values), 2):
            items[self.bounds.key(values[i])] = values[i + 1]

    def several(self, count: int) -> list[Any]:
        """Pop the topmost values, in their order."""
        return [self.pop() for _ in range(count)][::-1]


# ------------------------------------------------------------------------------------------------ opcodes


def _opcodes(file: BinaryIO) -> Iterator[tuple[pickletools.OpcodeInfo, Any, int | None]]:
    try:
        yield from pickletools.genops(file)
    except ValueError as error:
        raise ValueError(f"it is not a pickle, or it is damaged: {error}") from None


def _short(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        raise ValueError(f"it holds a number of more than {MOST_BITS:,} bits")
    return value


def _check_protocol(_machine: Machine, protocol: int) -> None:
    if protocol not in PROTOCOLS:
        raise ValueError(f"its protocol is {protocol}; {PROTOCOLS[0]} to {PROTOCOLS[-1]} are supported")


def _pop(machine: Machine, _: None) -> None:
    if machine.stack or not machine.below:
        machine.pop()
    else:
        machine.marked()  # POP also removes a mark


def _global(machine: Machine, said: str) -> None:
    machine.push(Name(*said.split(" ", 1)))


def _stack_global(machine: Machine, _: None) -> None:
    module, name = machine.several(2)
    if not isinstance(module, str) or not isinstance(name, str):
        raise ValueError("it is damaged: a name is not text")
    machine.push(Name(module, name))


def _inst(machine: Machine, said: str) -> None:
    args = tuple(machine.marked())
    _global(machine, said)
    machine.push(machine.call(machine.pop(), args))


def _obj(machine: Machine, _: None) -> None:
    function, *args = machine.marked() or [None]
    machine.push(machine.call(function, tuple(args)))


def _constant(value: Any) -> Form:
    return lambda machine, _: machine.push(value)


def _make(kind: Callable[[Any], Any], taken: Callable[[Machine], list[Any]]) -> Form:
    """Return an action that pushes a value made from the topmost ones."""
    return lambda machine, _: machine.push(kind(taken(machine)))


def _call(count: int) -> Form:
    return lambda machine, _: machine.push(machine.call(*machine.several(count)))


def _dict(machine: Machine, _: None) -> None:
    values = machine.marked()
    machine.push({})
    machine.assign(values)


VALUES = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
})  # fmt: skip
ACTIONS: dict[str, Form] = {
    "PROTO": _check_protocol,
    **dict.fromkeys(("FRAME", "STOP"), lambda _machine, _: None),
    "NONE": _constant(None),
    "NEWTRUE": _constant(True),
    "NEWFALSE": _constant(False),
    **{f"EMPTY_{kind.__name__.upper()}": _make(kind, lambda _: []) for kind in (tuple, list, dict, set)},
    **{kind.__name__.upper(): _make(kind, Machine.marked) for kind in (tuple, list)},
    **{f"TUPLE{n}": _make(tuple, lambda machine, n=n: machine.several(n)) for n in (1, 2, 3)},
    "DICT": _dict,
    "FROZENSET": _make(frozenset, lambda machine: [machine.bounds.key(value) for value in machine.marked()]),
    "MARK": lambda machine, _: machine.mark(),
    "POP": _pop,
    "POP_MARK": lambda machine, _: machine.marked(),
    "DUP": lambda machine, _: machine.push(machine.peek()),
    "APPEND": lambda machine, _: machine.extend([machine.pop()]),
    **{name: lambda machine, _: machine.extend(machine.marked()) for name in ("APPENDS", "ADDITEMS")},
    "SETITEM": lambda machine, _: machine.assign(machine.several(2)),
    "SETITEMS": lambda machine, _: machine.assign(machine.marked()),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), Machine.put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), Machine.get),
    "MEMOIZE": lambda machine, _: machine.put(len(machine.memo)),
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "INST": _inst,
    "OBJ": _obj,
    **{name: _call(count) for name, count in (("REDUCE", 2), ("NEWOBJ", 2), ("NEWOBJ_EX", 3))},
    "BUILD": lambda machine, _: machine.build(machine.pop()),
    "PERSID": lambda machine, said: machine.push(machine.persistent(said)),
    "BINPERSID": lambda machine, _: machine.push(machine.persistent(machine.pop())),
}
