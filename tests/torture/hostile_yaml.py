"""Files that somebody could put where a pipeline is expected."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

MIB = 1024 * 1024
STAGE = "{name: s, agent: a, task: t}"
HEAD = "name: p\nagents: {a: {shell: x}}\n"


def _levels(first: str, others: Callable[[str], str], count: int = 30) -> str:
    """Line after line, each of which names the one above it ten times."""
    lines = [f"a0: &a0 {first}"]
    for level in range(1, count):
        again = ", ".join([f"*a{level - 1}"] * 10)
        lines.append(f"a{level}: &a{level} {others(again)}")
    return "\n".join(lines)


def _stages(count: int, stage: Callable[[int], str]) -> str:
    return HEAD + "stages:\n" + "".join(f"- {{{stage(index)}}}\n" for index in range(count))


def _with(field: str) -> str:
    return HEAD + f"stages:\n- {{name: s, agent: a, task: t, {field}}}\n"


EXPLOSIVE: Mapping[str, str] = {
    "aliases of aliases": _levels("[x, x]", lambda again: f"[{again}]"),
    "merges of merges": _levels("{k: v}", lambda again: f"{{<<: [{again}]}}"),
    "a merge of itself": "stages: &a\n  <<: *a\n",
    "a list of itself": "name: &a [*a]\n",
    "aliases as keys": "? &a [x]\n: y\n? *a\n: z\n",
    "a key many times": "k: v\n" * 20_000,
    "a merge many times": f"b: &b {{x: 1}}\nstages:\n- {{<<: [{'*b,' * 16_000}]}}\n",
    "forty thousand aliases": f"a: [&a x,{'*a,' * 40_000}]",
    "variables of variables": "variables: {"
    + ", ".join(f'v{level}: "${{v{level + 1}}}${{v{level + 1}}}"' for level in range(60))
    + ", v60: x}\n" + HEAD + "stages: [{name: s, agent: a, task: '${v0}'}]\n",
}  # fmt: skip

BRACKETS = ("[", "{", "- ", "? ", "{a: ", "[{", "&a [", "!!seq [")
DEEP: Mapping[str, str] = {
    f"many {bracket!r}": bracket * 200_000 for bracket in BRACKETS
} | {
    "a thousand levels": "name: " + "[" * 1_000 + "]" * 1_000,
    "a thousand levels of blocks": "".join(f"{' ' * depth}a:\n" for depth in range(1_000)),
    "conditions in conditions": _with(f"when: {'{or: [' * 500}{{branch: x}}{']}' * 500}"),
}  # fmt: skip

LARGE: Mapping[str, str | bytes] = {
    "a text of 100 MB": b"name: " + b"x" * 100_000_000,
    "keys without end": "".join(f"k{index}: v\n" for index in range(1_000_000)),
    "three million digits": _with(f"timeout: {'9' * 3_000_000}"),
    "three million dollars": _with(f"env: {{X: '{'${' * 1_500_000}'}}"),
}

LABORIOUS: Mapping[str, str] = {
    "a chain of stages": _stages(4_000, lambda i: f"name: s{i}, agent: a, task: t"),
    "a circle of stages": _stages(
        4_000, lambda i: f"name: s{i}, agent: a, task: t, depends_on: s{(i + 1) % 4_000}"
    ),
    "a circle of groups": _stages(
        4_000, lambda i: f"name: s{i}, agent: a, task: t, parallel_with: s{(i + 1) % 4_000}"
    ),
    "unknown stages": _stages(
        3_000, lambda i: f"name: s{i}, agent: a, task: t, depends_on: [q{i}x, r{i}x]"
    ),
    "unknown keys": _stages(2_000, lambda i: f"nam{i}: s, agnt{i}: a, tsk{i}: t"),
    "unknown agents": _stages(4_000, lambda i: f"name: s{i}, agent: b{i}, task: t"),
    "unknown variables": _stages(4_000, lambda i: f"name: s{i}, agent: a, task: '${{v{i}}}'"),
    "one name for all": _stages(4_000, lambda _: "name: s, agent: a, task: t"),
    "a chain of undos": _stages(
        2_000,
        lambda i: f"name: s{i}, agent: a, task: t, rollback: {{task: x, then: [s{i + 1}]}}",
    ),
    "a chain of variables": "variables: {"
    + ", ".join(f'v{i}: "${{v{i + 1}}}"' for i in range(2_000))
    + "}\n" + HEAD + "stages: [{name: s, agent: a, task: '${v0}'}]\n",
    "a glob of stars": _with(f"when: {{branch: '{'*a' * 20_000}', paths: '{'**/' * 20_000}x'}}"),
}  # fmt: skip

NUMBERS = (
    "1e999999999", "-1e400", ".inf", ".nan", "0x" + "f" * 5_000, "9" * 5_000, "1_000_000h",
    "190:20:30", "0b1", "0o7", "1" * 400 + "h", "1h" * 3_000, "-0", "+1", "٣", "1e-400",
)  # fmt: skip

NUMERIC: Mapping[str, str] = {
    f"the number {number[:12]} as {field[:10]}": text
    for number in NUMBERS
    for field, text in {
        "timeout": _with(f"timeout: {number}"),
        "attempts": _with(f"retry: {{attempts: {number}, delay: {number}, backoff: {number}}}"),
        "quorum": _with(
            "requires_approval: true, approvers: [root],"
            f" approval: {{quorum: {number}, timeout: {number}}}"
        ),
        "max_parallel": f"max_parallel: {number}\nversion: {number}\n{_with('timeout: 1s')}",
    }.items()
}

PLAIN = f"name: p\nstages: [{STAGE}]\n"

ENCODED: Mapping[str, bytes] = {
    "UTF-16": PLAIN.encode("utf-16"),
    "UTF-16 without a mark": PLAIN.encode("utf-16-le"),
    "UTF-32": PLAIN.encode("utf-32"),
    "Latin-1": "name: prüf\n".encode("latin-1"),
    "two marks": b"\xef\xbb\xbf\xef\xbb\xbf" + PLAIN.encode(),
    "a mark inside": b"name: p\xef\xbb\xbf\n",
    "lone surrogates": b"name: \xed\xa0\x80\n",
    "escaped surrogates": b'name: "\\ud800"\nstages: []\n',
    "NULs": b"name: p\0\n\0" * 100,
    "an overlong slash": b"name: \xc0\xaf\n",
    "beyond the last character": b"name: \xf4\x90\x80\x80\n",
    "an escape of nothing": b'name: "\\UFFFFFFFF"\n',
    "an escape that ends": b'name: "\\x',
    "only carriage returns": PLAIN.replace("\n", "\r").encode(),
    "line separators": PLAIN.replace("\n", "\u2028").encode(),
    "C1 line ends": PLAIN.replace("\n", "\x85").encode(),
    "terminal sequences": b'"\\e]52;c;aGk=\\a": "\\e[2J"\nname: "\xc2\x9b2J"\n',
    "raw terminal sequences": b"name: \x1b]0;x\x07\n",
    "direction marks": "name: \u202egnp\u2066\n".encode(),
    "random bytes": random.Random(7).randbytes(50_000),
    "an ELF head": b"\x7fELF\x02\x01\x01" + bytes(500),
}

STRANGE: Mapping[str, str] = {
    "a tab as indentation": "stages:\n\t- name: s\n",
    "an object": "name: !!python/object/apply:os.system ['touch pwned']\n",
    "a new object": "name: !!python/object/new:subprocess.Popen [[touch, pwned]]\n",
    "a module": "!!python/module:os ''\n",
    "a tag of its own": "%TAG !e! tag:example.com,2000:\n---\nname: !e!x y\n",
    "a set": "name: !!set {a, b}\n",
    "binary": "name: !!binary R0lGODlhDAAMAIQAAP\n",
    "a directive from tomorrow": "%YAML 9.9\n---\n" + PLAIN,
    "an unknown directive": "%FOO bar\n---\n" + PLAIN,
    "two documents": PLAIN + "---\n" + PLAIN,
    "three dots": "...\n...\n",
    "an anchor alone": "&a\n",
    "an alias alone": "*a\n",
    "an anchor twice": "a: &x 1\nb: &x 2\nc: *x\n",
    "a key of a list": "? [a, b]\n: c\n",
    "a key of nothing": ": x\n",
    "a merge of a text": "<<: x\n" + PLAIN,
    "a long key": "k" * 1_025 + ": v\n",
    "a name of spaces": f"name: '   '\nstages: [{STAGE}]\n",
    "stages as text": "name: p\nstages: none\n",
    "stages as numbers": "name: p\nstages: [1, 2.5, true, null, ~]\n",
    "everything nothing": "name:\nstages:\nagents:\nvariables:\ntriggers:\nversion:\n",
    "a stage of nothing": "name: p\nstages: [{}, {name: }, {name: [x]}, {name: {x: y}}]\n",
    "nothing": "",
}

HOSTILE: Mapping[str, bytes] = {
    name: content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    for group in (EXPLOSIVE, DEEP, LARGE, LABORIOUS, NUMERIC, ENCODED, STRANGE)
    for name, content in group.items()
}


def voluminous(mib: int) -> Mapping[str, bytes]:
    """Files of that size, each of which asks for much work."""
    size = mib * MIB - 10
    return {
        "a list": b"a:\n" + b"- a\n" * (size // 4),
        "empty mappings": b"a: [" + b"{}," * (size // 3) + b"]",
        "line ends": b"\n" * size,
        "folded lines": b"a: >\n" + b" x\n" * (size // 3),
        "an indicator": b":" * size,
    }


_PIECES = (
    "name: ", "stages:", "agents:", "agent: ", "task: ", "- ", "[", "]", "{", "}", ": ", ", ", "\n",
    "\n  ", "\n    ", "\t", "&a ", "*a", "<<: ", "<<: *a", "!!str ", "!x ", "? ", "| ", ">-\n", "'",
    '"', "#", "---\n", "...\n", "%YAML 1.1\n", "\\", "\u2028", "\ufeff", "\x85", "${", "}", "${a}",
    "${stages.s.v}", "when: ", "or: ", "depends_on: ", "retry: ", "timeout: ", "rollback: ",
    "rollback_to: ", "on_failure: rollback", "then: ", "s", "a", "1", "~", "1h", "*", "\\ud800",
    "parallel_with: ", "requires_approval: true", "approvers: ", "snapshot: ", "env: ", "PATH",
)  # fmt: skip


def invented(rng: random.Random) -> bytes:
    """A short file of pieces that mean something to whoever reads pipelines."""
    text = "".join(rng.choices(_PIECES, k=rng.randint(1, 120)))
    return text.encode() if rng.random() < 0.9 else rng.randbytes(3) + text.encode()
