"""Compares nxdt's reading of YAML files and override lines with OmegaConf's and Hydra's.

usage: oracle.py PATH_OF_nxdt-config-dump [--cases N] [--seed S] [--show]

Generates configurations and override lines (wrong ones too), resolves each
with PyPI's omegaconf and hydra-core and with nxdt, each in one process, and
wants the same tree or a refusal from both. What is known to differ stands in
DIFFERENCES, with its reason, and is held to that.

Exit code 77 (skipped) where omegaconf or hydra-core are not installed.
"""

import argparse
import json
import os
import random
import struct
import subprocess
import sys
import warnings

try:
    import yaml
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import OmegaConf
    from omegaconf._utils import get_yaml_loader
except ImportError as error:
    other = os.environ.get("NXDT_TEST_PYTHON")
    if other and os.path.exists(other) and os.path.abspath(other) != sys.executable and "NXDT_ORACLE_AGAIN" not in os.environ:
        os.environ["NXDT_ORACLE_AGAIN"] = "1"
        os.execv(other, [other, *sys.argv])
    print(f"skipped: {error} (pip install omegaconf hydra-core)")
    sys.exit(77)

LOADER = get_yaml_loader()


def typed(value):
    """The encoding of ConfigDump.cpp: types stay apart."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return {"i": str(value)}
    if isinstance(value, float):
        if value != value:
            return {"f": "nan"}
        return {"f": struct.pack(">d", value).hex()}
    if isinstance(value, str):
        return {"s": value}
    if isinstance(value, (list, tuple)):
        return {"l": [typed(item) for item in value]}
    if isinstance(value, dict):
        return {"d": [[typed(k), typed(v)] for k, v in value.items()]}
    if isinstance(value, bytes):
        return {"b": value.hex()}
    raise TypeError(type(value))


def oracle(case):
    """The typed tree, or None for a refusal."""
    try:
        loaded = yaml.load(case["yaml"], Loader=LOADER)
        config = OmegaConf.create({} if loaded is None else loaded)
        OmegaConf.set_struct(config, True)
        overrides = OverridesParser.create().parse_overrides(case["overrides"])
        for override in overrides:
            if override.is_sweep_override():
                raise ValueError("a sweep needs --multirun")
        ConfigLoaderImpl._apply_overrides_to_config(overrides, config)
        tree = OmegaConf.to_container(config, resolve=True)
        if not isinstance(tree, dict):
            raise TypeError("the top level is no map")
        return typed(tree)
    except Exception as error:  # every kind of refusal is one
        case["why"] = f"{type(error).__name__}: {error}"
        return None


PLAIN = """1 0 -3 +7 1_000 0x1F 0b101 0b12 017 08 09.5 0o17 1:30 1:30:20 1:70 1:30.5 -1:30 1e3 1E3 1e-3 3e-4 1e+5 1.5 1. .5 -.5
+.5 .5e3 .5e-3 1.5e3 1_0.2_5 1__0 1_ _1 1e 1e5x 6.02e23 1e400 -1e400 .inf -.inf +.inf .Inf .nan .NaN nan inf -inf 0x 0b_ 0_ 00
9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809 123456789012345678901234567890
0xFFFFFFFFFFFFFFFFFF yes Yes YES yEs no on Off y n Y true True TRUE tRue false null Null NULL nULL ~ None none 2001-01-01
2001-01-01T10:00:00Z 12:00:00 hello a-b a_b a.b a/b $HOME $a a$b C:\\\\x a\\\\b ??? ???x @x x@y 1.2.3 1.8.6 980,10,10 -- - --- x:y x#y
é 日本""".split()

TEXTS = ["two words", "a b  c", "it's", 'say "x"', "back\\slash", "tab\\tx", "end\\", "\\\\", "$", "$$", "a$ {b}", "{x}", "[x]", "", " ",
         "true", "1", "1e3", "null", "a,b", "a: b", "# no", "x # y", "a\\$b", "%", "100%"]


class Generator:
    def __init__(self, rng):
        self.rng = rng
        self.keys = []

    def pick(self, items):
        return items[self.rng.randrange(len(items))]

    def chance(self, p):
        return self.rng.random() < p

    def name(self):
        return self.pick(["a", "b", "c", "d", "lr", "size", "x_1", "Name", "k-v", "n0", "deep"])

    # Interpolations -------------------------------------------------------
    def path(self):
        r = self.rng.random()
        if self.keys and r < 0.62:
            key = self.pick(self.keys)
            if self.chance(0.1):
                parts = key.split(".")
                key = parts[0] + "".join(f"[{p}]" for p in parts[1:])
            return key
        if r < 0.78:
            return "." * self.rng.randrange(1, 4) + self.name()
        if r < 0.86:
            return self.name() + "." + self.name()
        if r < 0.9:
            return self.pick(["a.0", "b[0]", "c.1", "d[7]", "[a]", "[a].b", "a.-1", "a[x]", "b.00", "a..b", "a.", "", ".", "a b", "a,b", "$a", "0"])
        if r < 0.95:
            return "${" + self.path() + "}"
        return self.name()

    def argument(self, depth=0):
        r = self.rng.random()
        if r < 0.3:
            return self.pick(["1", "2", "-3", "2.5", "1e-3", "true", "null", "abc", "a-b", "1_000", "007", "nan", "", " ", "a b", "a:b", "a/b", "%x",
                              "\\,", "a\\ b", "\\\\", "a\\,b", "x\\x", "1 2", "True", "NULL", "+5", ".5", "5.", "1.5.2"])
        if r < 0.55:
            return "${" + self.path() + "}"
        if r < 0.65:
            return self.pick(["'q'", '"q"', "'a ${a} b'", "'it\\'s'", '"x\\"y"', "''", "'${b}'", "'a\\\\'", "'[1, 2]'", "'{a: 1}'", "\"'\"", "'\\${a}'",
                              "'\\\\${a}'", "'a\\b'", "'1'", "' s '"])
        if r < 0.75:
            return self.name()
        if depth < 2 and r < 0.85:
            return "[" + ", ".join(self.argument(depth + 1) for _ in range(self.rng.randrange(3))) + "]"
        if depth < 2 and r < 0.93:
            return "{" + ", ".join(f"{self.pick(['a', 'b', '1', 'x y', 'null', '1.5'])}: {self.argument(depth + 1)}" for _ in range(self.rng.randrange(3))) + "}"
        if depth < 2:
            return self.resolver(depth + 1)
        return "x"

    def resolver(self, depth=0):
        r = self.rng.random()
        space = self.pick(["", "", " "])
        if r < 0.3:
            name = self.pick(["multiply", "sum"])
            numbers = ["2", "3", "-1", "1.5", "true"] + ["${" + self.path() + "}"] * 3 + ["'ab'"]
            args = [self.pick(numbers) for _ in range(self.pick([2, 2, 2, 2, 2, 1, 3, 0]))]
            return "${" + name + ":" + space + ("," + space).join(args) + "}"
        if r < 0.45:
            variable = self.pick(["NXDT_ORACLE_SET", "NXDT_ORACLE_UNSET", "NXDT_ORACLE_TRICKY"])
            tail = self.pick(["", "", "," + self.argument(1)])
            return "${oc.env:" + variable + tail + "}"
        if r < 0.6:
            inner = self.pick(["'[1, 2, a]'", "'1e-3'", "'{a: 1, b: [x, y]}'", "'\\'q\\''", "null", "3", "'null'", "'a b'", "${oc.env:NXDT_ORACLE_SET}",
                               "'${a}'", "'[${a}]'", "''", "'[1,'", "'}'", "'true'", "${" + self.path() + "}"])
            return "${oc.decode:" + inner + "}"
        if r < 0.72:
            tail = self.pick(["", "," + self.argument(1), "," + self.argument(1)])
            return "${oc.select:" + self.pick(self.keys + ["nope", ".a", "..b", "a.b.c"]) + tail + "}"
        if r < 0.8:
            return "${oc.dict.keys:" + self.pick(self.keys + ["a", ".b", "deep"]) + "}"
        if r < 0.84:
            return "${oc.deprecated:" + self.pick(self.keys + ["nope"]) + "}"
        if r < 0.9:
            return "${oc.create:" + self.pick(["[1,2]", "{a: 1}", "{a: [x], b: null}"]).replace(": ", ":") + "}"
        return self.pick(["${nope:1}", "${oc.nope:}", "${multiply:}", "${multiply:1,,2}", "${a.b:1}", "${multiply: 2 , 3 }", "${ multiply:2,3}",
                          "${multiply :2,3}", "${oc.env}", "${oc.env:}", "${oc.env:1}"])

    def interpolation(self):
        r = self.rng.random()
        if r < 0.55:
            return self.pick(["${%s}", "${%s}", "${%s}", "${ %s }", "${%s }"]) % self.path()
        if r < 0.75:
            return self.resolver()
        if r < 0.92:
            one = "${" + self.path() + "}"
            return self.pick(["x-%s", "%s/y", "%s%s", "a %s b", "\\\\%s", "$%s", "%s}", "\\%s", "\\\\\\%s", "%s$", "a\\b%s", "{%s}"]).replace("%s", one)
        return self.pick(["${", "${}", "${a", "x${a}${", "\\${a}", "\\\\${a}", "${a b}", "${a.}", "${..}", "${a[}", "${a]}", "${'a'}", "${a\\}", "${a(b)}", "${${a}}",
                          "${a.${b}.c}", "${a${b}}", "${a:b:c}", "${a}}", "${.}"])

    # YAML -----------------------------------------------------------------
    def scalar(self, flow=False):
        r = self.rng.random()
        if r < 0.4:
            text = self.pick(PLAIN).replace("\\\\", "\\")
            if flow and any(c in text for c in ",[]{}"):
                return "1"
            return text
        if r < 0.7:
            text = self.interpolation()
            if self.chance(0.25):
                return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
            if flow or self.chance(0.4) or any(c in text for c in "#'\":{}") and not text.startswith("$"):
                return "'" + text.replace("'", "''") + "'"
            if ": " in text or " #" in text or text.startswith(("{", "%", "[", "\\")) or text.endswith(":"):
                return "'" + text.replace("'", "''") + "'"
            return text
        if r < 0.85:
            return "'" + self.pick(TEXTS).replace("'", "''") + "'"
        if r < 0.92:
            return '"' + self.pick(TEXTS).replace("\\", "\\\\").replace('"', '\\"') + '"'
        if r < 0.95 and not flow:
            return self.pick(["!!str 1", "!!int '7'", "!!float 1", "!!bool 'yes'", "!!null ''", "! x", "!!str", "!!int x", "!!str null"])
        return str(self.rng.randrange(-100, 100))

    def flow(self, depth):
        if depth <= 0 or self.chance(0.5):
            return self.scalar(flow=True)
        if self.chance(0.5):
            return "[" + ", ".join(self.flow(depth - 1) for _ in range(self.rng.randrange(4))) + "]"
        names = self.rng.sample(["p", "q", "r", "s"], self.rng.randrange(4))
        return "{" + ", ".join(f"{n}: {self.flow(depth - 1)}" for n in names) + "}"

    def block(self, indent, depth, prefix):
        lines = []
        used = set()
        for _ in range(self.rng.randrange(1, 6)):
            key = self.name()
            if key in used and not self.chance(0.03):
                continue
            used.add(key)
            path = f"{prefix}{key}"
            pad = " " * indent
            shown = self.pick([key, key, key, f"'{key}'", f'"{key}"'])
            if self.chance(0.015):
                shown = self.pick([k for k in ["1.5", "true", "null"] if k not in used] or [key])
                used.add(shown)
            r = self.rng.random()
            if depth > 0 and r < 0.35:
                lines.append(f"{pad}{shown}:" + self.pick(["", "", "  # note"]))
                lines += self.block(indent + 2, depth - 1, path + ".")
            elif r < 0.45:
                lines.append(f"{pad}{shown}:")
                for i in range(self.rng.randrange(1, 4)):
                    lines.append(f"{pad}{self.pick(['', '  '])[:2] if i == 0 else ''}- " + self.scalar())
                    if i == 0:
                        first = len(lines[-1]) - len(lines[-1].lstrip())
                    else:
                        lines[-1] = " " * first + lines[-1].lstrip()
                    self.keys.append(f"{path}.{i}")
            elif r < 0.55:
                lines.append(f"{pad}{shown}: " + self.flow(2))
            elif r < 0.58:
                lines.append(f"{pad}{shown}: {self.pick(['|', '>', '|-', '>-'])}")
                lines.append(f"{pad}  {self.pick(['one', '${a}', 'x y', '1'])}")
                lines.append(f"{pad}  two")
            elif r < 0.6:
                lines.append(f"{pad}{shown}:")
            else:
                lines.append(f"{pad}{shown}: " + self.scalar() + self.pick(["", "", "", "  # note"]))
            self.keys.append(path)
        return lines

    def anchors(self):
        return self.pick([
            "base: &b {p: 1, q: [1, 2]}\nuse: *b\n",
            "base: &b\n  p: 1\n  q: ${.p}\nuse:\n  <<: *b\n  r: 2\n",
            "base: &b\n  p: 1\nuse:\n  p: 5\n  <<: *b\n",
            "one: &x {p: 1}\ntwo: &y {p: 2, q: 3}\nuse:\n  <<: [*x, *y]\n",
            "base: &s hello\nuse: *s\nlist: [*s, *s]\n",
            "use: *missing\n",
            "base: &b 1\nuse:\n  <<: *b\n",
            "'<<': 1\n",
            "base: {<<: {p: 1}, q: 2}\n",
        ])

    def broken(self, text):
        lines = text.split("\n")
        at = self.rng.randrange(len(lines))
        lines.insert(at, self.pick(["  bad: [1, 2", "x: y: z", "\tq: 1", "'open: 1", "- item", "a b", "}", "key: 'a' b", "k: {a: 1", "? [1]", "!foo x: 1", "w: !foo x", "%D"]))
        return "\n".join(lines)

    # Overrides ------------------------------------------------------------
    def override_key(self):
        if self.keys and self.chance(0.75):
            key = self.pick(self.keys)
            return key + self.pick([""] * 8 + [".new", ".0"])
        return self.pick(["a", "b.c", "new", "new.sub", "new.sub.x", "$x", "a.$b", "a-b", "0", "a.0.b", "a[0]", "-a", "a b", "a.", "deep.er", "a@p", "1.2"])

    def override_value(self, depth=0):
        r = self.rng.random()
        if r < 0.45:
            return self.pick(["1", "-2", "+3", "1_000", "1__0", "007", "1.5", "1e-3", ".5", "5.", "1e5", "inf", "-Inf", "nan", "true", "False", "TRUE", "null",
                              "NULL", "None", "abc", "a b", "a  b ", "", " 1", "1 ", "a-b", "a/b", "a:b", "a: b", "1:2", "a=b", "a.b.c", "x@y", "50%", "a*b", "a|b",
                              "$x", "a$b", "a\\,b", "a\\ b", "\\ ", "a\\b", "\\\\", "\\[", "~", "#", "a#b", "a!b", "(", "a(b)", "f(1)", "choice(1,2)", "1,2", "a,b",
                              "???", "é", "'é'", "0x10", "0b1", "yes", "on", "2001-01-01", "123456789012345678901234567890", "/home/x/y-1.2_3"])
        if r < 0.6:
            return self.pick(["'q'", '"q"', "'a b'", "''", "'it\\'s'", '"a\\"b"', "'1'", "'${a}'", "'a\\\\'", "'a\\b'", "'\\\\\\''", "'open", "'a' ", "'a'b", "'[1]'", "' '",
                              "'${a.${b}}'", "'${oc.env:NXDT_ORACLE_SET}'", "\"it's\"", "'$'"])
        if r < 0.75:
            return self.pick(["${a}", "${b.c}", "${.a}", "${oc.env:NXDT_ORACLE_SET}", "${multiply:2,3}", "x${a}y", "${a.${b}}", "${", "${}", "a ${b}", "${a}${b}"])
        if depth < 2 and r < 0.88:
            inner = self.pick([",", ", ", " , "]).join(self.override_value(depth + 1) for _ in range(self.rng.randrange(4)))
            return self.pick(["[%s]", "[%s]", "[ %s ]", "[%s"]).replace("%s", inner)
        if depth < 2:
            pairs = [f"{self.pick(['p', 'q', 'a b', '1', 'new', 'null'])}{self.pick([':', ': '])}{self.override_value(depth + 1)}" for _ in range(self.rng.randrange(3))]
            return self.pick(["{%s}", "{%s}", "{ %s }", "{%s"]).replace("%s", ",".join(pairs))
        return "z"

    def override(self):
        r = self.rng.random()
        key = self.override_key()
        if r < 0.55:
            return f"{key}={self.override_value()}"
        if r < 0.68:
            return f"+{key}={self.override_value()}"
        if r < 0.8:
            return f"++{key}={self.override_value()}"
        if r < 0.9:
            return f"~{key}"
        if r < 0.94:
            value = self.override_value()
            return f"~{key}={'1' if value.startswith(('[', '{')) else value}"
        return self.pick([key, f"+{key}", f"={key}", f"{key} = 1", f"{key}= 1", f"~~{key}", f"+++{key}=1", f"~{key}=", f"{key}==1", f"{key}:=1", ""])

    def case(self):
        self.keys = []
        lines = self.block(0, 2, "")
        text = "\n".join(lines) + "\n"
        if self.chance(0.1):
            text += self.anchors()
        if self.chance(0.07):
            text = self.broken(text)
        overrides = [self.override() for _ in range(self.pick([0, 0, 0, 1, 1, 2, 3]))]
        return {"yaml": text, "overrides": overrides}


# What differs on purpose: (yaml, overrides, nxdt accepts, OmegaConf accepts, reason).
DIFFERENCES = [
    ("1: a\n1: b\n", [], False, True, "equal keys that are no strings: OmegaConf keeps the last one in silence"),
    ("1: a\ntrue: b\n", [], True, True, "1 and True are one key in Python, two here"),
    ("%D\n---\na: 1\n", [], False, True, "directives"),
    ("a: !!binary aGk=\n", [], False, True, "bytes have no use in a configuration"),
    ("a: !!set {x, y}\n", [], False, False, "sets are refused by both"),
    ("a: ${multiply:'[1]',2}\n", [], True, True, "text is repeated by both"),
    ("a: ${multiply:[1],2}\n", [], False, True, "Python repeats lists; nxdt multiplies numbers and text only"),
    ("a: [1]\nb: ${sum:${a},${a}}\n", [], False, True, "Python joins lists; nxdt adds numbers and text only"),
    ("a: ${:1}\n", ["a=1"], False, True, "OmegaConf checks only the syntax of some values that an override replaces"),
    ("a: [null]\n", ["~a=[x${b}y]"], False, True, "OmegaConf takes an interpolation inside of a list for equal to null"),
    ("a: 1\t# x\n", [], True, False, "tabs between words of a line (YAML 1.2 allows them)"),
    ("a: 1\u2028b: 2\n", [], False, True, "line breaks of YAML 1.1 that editors do not show"),
    ("a: {b: !!str, c: 1}\n", [], True, False, "a tag directly before a comma"),
    ("a: 1\nb: {a: 2}\n", ["b=null", "b.a=1"], False, False, "a section that became null"),
    ("a: ${multiply:9223372036854775807,2}\n", [], False, True, "products beyond 64 bits"),
    ("a: \"${oc.create:'x: 1'}\"\n", [], False, True, "YAML text inside of oc.create"),
    ("a: {b: {c: 1}}\nd: ${oc.dict.values:a}\n", [], False, True, "oc.dict.values of a map that holds sections"),
    ("a: 1\n", ["a=str(3)"], False, True, "functions of Hydra's grammar"),
    ("a: 1\n", ["+b/c=1"], False, True, "keys with a slash belong to config groups"),
    ("- 1\n", [], False, False, "the top level is a map"),
]


def excused(case, reply):
    """Known differences that the generator cannot avoid."""
    error = reply.get("error", "")
    return "'sum' needs numbers, not [" in error or "does not fit into 64 bits" in error


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dump")
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--seed", type=int, default=20260101)
    parser.add_argument("--show", action="store_true", help="print every mismatch whole")
    options = parser.parse_args()

    warnings.simplefilter("ignore")
    os.environ["NXDT_ORACLE_SET"] = "hello"
    os.environ["NXDT_ORACLE_TRICKY"] = "${a} [1, 2] 'x'"
    os.environ.pop("NXDT_ORACLE_UNSET", None)
    OmegaConf.register_new_resolver("multiply", lambda x, y: x * y, replace=True)
    OmegaConf.register_new_resolver("sum", lambda x, y: x + y, replace=True)

    generator = Generator(random.Random(options.seed))
    cases = []
    # One bad value refuses a whole file: most such files are left out, so that
    # about half of the cases have a tree.
    while len(cases) < options.cases:
        case = generator.case()
        case["expected"] = oracle(case)
        if case["expected"] is not None or generator.chance(0.25):
            cases.append(case)
    known = [{"yaml": text, "overrides": overrides} for text, overrides, *_ in DIFFERENCES]
    lines = "".join(json.dumps({"yaml": case["yaml"], "overrides": case["overrides"]}) + "\n" for case in cases + known)
    done = subprocess.run([options.dump], input=lines, capture_output=True, text=True)
    replies = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode or len(replies) != len(cases) + len(known):
        print(f"{options.dump} ended with {done.returncode} after {len(replies)} of {len(cases) + len(known)} answers\n{done.stderr}")
        return 1

    wrong = refused = 0
    for number, (case, reply) in enumerate(zip(cases, replies)):
        expected = case["expected"]
        refused += expected is None
        if reply.get("tree") == expected or excused(case, reply):
            continue
        wrong += 1
        if options.show or wrong <= 3:
            print(f"--- case {number} differs\n{case['yaml']}{case['overrides']}")
            print("OmegaConf:", json.dumps(expected, ensure_ascii=False) if expected is not None else "refuses: " + case["why"])
            print("nxdt:     ", json.dumps(reply, ensure_ascii=False))
    for (text, overrides, ours, theirs, reason), case, reply in zip(DIFFERENCES, known, replies[len(cases):]):
        if ("tree" in reply) != ours or (oracle(case) is not None) != theirs:
            wrong += 1
            print(f"--- the known difference no longer holds: {reason}\n{text}{overrides}\n{reply}")
    print(f"{len(cases)} cases, {refused} of them refused by OmegaConf or Hydra, {len(known)} known differences: {wrong} wrong")
    # A generator of refusals only, or of none, would prove little.
    if not 0.2 * len(cases) < refused < 0.8 * len(cases):
        print("the generated cases are too one-sided")
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
