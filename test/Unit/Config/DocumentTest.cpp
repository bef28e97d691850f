//===- DocumentTest.cpp - scalars, interpolations and overrides -----------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What OmegaConf and Hydra do is compared at large by oracle.py; this shows
// each rule once, with the places that messages name.
//
//===----------------------------------------------------------------------===//
#include "TestSupport.h"

#include <cstdlib>

using namespace nxdt;
using namespace nxdt::config;
using namespace nxdt::test;

static Scalar valueOf(const Document &doc, const std::string &key) {
  const Node *node = doc.find(key);
  EXPECT_NE(node, nullptr) << key;
  return node ? node->scalar : Scalar(std::string("absent"));
}

static Scalar typed(const std::string &text) {
  return valueOf(parse("a: " + text + "\n"), "a");
}

TEST(Scalars, FollowYaml11AndOmegaConf) {
  EXPECT_EQ(typed("3e-4"), Scalar(3e-4));
  EXPECT_EQ(typed("1e3"), Scalar(1000.0));
  EXPECT_EQ(typed(".5"), Scalar(0.5));
  EXPECT_EQ(typed("-.5"), Scalar(std::string("-.5")));
  EXPECT_EQ(typed("1_000"), Scalar(int64_t{1000}));
  EXPECT_EQ(typed("0x1F"), Scalar(int64_t{31}));
  EXPECT_EQ(typed("017"), Scalar(int64_t{15}));
  EXPECT_EQ(typed("0o17"), Scalar(std::string("0o17")));
  EXPECT_EQ(typed("08"), Scalar(std::string("08")));
  EXPECT_EQ(typed("0b101"), Scalar(int64_t{5}));
  EXPECT_EQ(typed("1:30"), Scalar(int64_t{90}));
  EXPECT_EQ(typed("1.8.6"), Scalar(std::string("1.8.6")));
  EXPECT_EQ(typed("yes"), Scalar(true));
  EXPECT_EQ(typed("Off"), Scalar(false));
  EXPECT_EQ(typed("y"), Scalar(std::string("y")));
  EXPECT_EQ(typed("~"), Scalar());
  EXPECT_EQ(typed("None"), Scalar(std::string("None")));
  EXPECT_EQ(typed("'1'"), Scalar(std::string("1")));
  EXPECT_EQ(typed("2001-01-01"), Scalar(std::string("2001-01-01")));
  EXPECT_EQ(typed("980,10,10"), Scalar(std::string("980,10,10")));
  EXPECT_EQ(typed("-9223372036854775808"),
            Scalar(std::numeric_limits<int64_t>::min()));
  EXPECT_EQ(typed("9223372036854775808"),
            Scalar(BigInt{"9223372036854775808"}));
}

TEST(Interpolation, FindsValuesAbsoluteAndRelative) {
  Document doc = parse("t: {n: 10, l: [5, {x: 7}]}\n"
                       "m:\n"
                       "  len: 64\n"
                       "  max: ${.len}\n"
                       "  s: {up: '${..len}', abs: '${t.n}'}\n"
                       "i0: ${t.l.0}\n"
                       "i1: ${t.l[1].x}\n"
                       "key: n\n"
                       "nested: ${t.${key}}\n"
                       "text: a-${t.n}-${m.len}/${none}\n"
                       "none: null\n"
                       "whole: ${t}\n"
                       "escaped: '\\${t.n}'\n");
  EXPECT_EQ(valueOf(doc, "m.max"), Scalar(int64_t{64}));
  EXPECT_EQ(valueOf(doc, "m.s.up"), Scalar(int64_t{64}));
  EXPECT_EQ(valueOf(doc, "m.s.abs"), Scalar(int64_t{10}));
  EXPECT_EQ(valueOf(doc, "i0"), Scalar(int64_t{5}));
  EXPECT_EQ(valueOf(doc, "i1"), Scalar(int64_t{7}));
  EXPECT_EQ(valueOf(doc, "nested"), Scalar(int64_t{10}));
  EXPECT_EQ(valueOf(doc, "text"), Scalar(std::string("a-10-64/None")));
  EXPECT_EQ(valueOf(doc, "whole.l[1].x"), Scalar(int64_t{7}));
  EXPECT_EQ(valueOf(doc, "escaped"), Scalar(std::string("${t.n}")));
}

TEST(Interpolation, CallsResolvers) {
  ::setenv("NXDT_TEST_SET", "hello", 1);
  ::unsetenv("NXDT_TEST_UNSET");
  Document doc = parse("a: 4\n"
                       "b: 8\n"
                       "product: '${multiply:${a}, ${b}}'\n"
                       "sum: '${sum:${a},0.5}'\n"
                       "env: ${oc.env:NXDT_TEST_SET}\n"
                       "fallback: ${oc.env:NXDT_TEST_UNSET,1e-3}\n"
                       "decoded: \"${oc.decode:'[1, {x: 2.5}]'}\"\n"
                       "selected: ${oc.select:no.such.key,7}\n"
                       "map: {p: 1, q: 2}\n"
                       "keys: ${oc.dict.keys:map}\n"
                       "values: ${oc.dict.values:map}\n"
                       "old: ${oc.deprecated:a}\n");
  EXPECT_EQ(valueOf(doc, "product"), Scalar(int64_t{32}));
  EXPECT_EQ(valueOf(doc, "sum"), Scalar(4.5));
  EXPECT_EQ(valueOf(doc, "env"), Scalar(std::string("hello")));
  EXPECT_EQ(valueOf(doc, "fallback"), Scalar(std::string("0.001")));
  EXPECT_EQ(valueOf(doc, "decoded[1].x"), Scalar(2.5));
  EXPECT_EQ(valueOf(doc, "selected"), Scalar(int64_t{7}));
  EXPECT_EQ(valueOf(doc, "keys[1]"), Scalar(std::string("q")));
  EXPECT_EQ(valueOf(doc, "values[1]"), Scalar(int64_t{2}));
  EXPECT_EQ(valueOf(doc, "old"), Scalar(int64_t{4}));
  ASSERT_EQ(doc.notices().size(), 1u);
  EXPECT_EQ(doc.notices()[0], "f.yaml:12:6: 'old' is deprecated; use 'a'");
}

TEST(Interpolation, ErrorsNameThePlaceAndAllAreReported) {
  EXPECT_EQ(parseError("trainer:\n  max_steps: 5\nx: ${trainer.max_step}\n"
                       "y: ${oc.evn:1}\n"),
            "f.yaml:3:4: x = '${trainer.max_step}': 'trainer.max_step' does "
            "not exist; did you mean 'trainer.max_steps'?\n"
            "error: f.yaml:4:4: y = '${oc.evn:1}': there is no resolver "
            "'oc.evn', did you mean 'oc.env'? (known: multiply, sum, oc.env, "
            "oc.decode, oc.select, oc.create, oc.dict.keys, oc.dict.values, "
            "oc.deprecated)");
  EXPECT_EQ(parseError("a: ${b}\nb: ${a}\n").substr(0, 42),
            "f.yaml:1:4: a = '${b}': a cycle: it leads ");
  EXPECT_EQ(parseError("a:\n  b: ${a}\n"),
            "f.yaml:2:6: a.b = '${a}': 'a' is a section around this value");
  EXPECT_EQ(parseError("a: ${b\n"),
            "f.yaml:1:4: a: '${b' is not a legal interpolation: it ends too "
            "early");
  EXPECT_EQ(parseError("a: ???\nb: ${a}\n"),
            "f.yaml:2:4: b = '${a}': 'a' is mandatory (\?\?\?) and nobody "
            "has set it");
}

TEST(Overrides, ChangeAddAndDelete) {
  Document doc = parse("a: {b: 1, c: [1, 2], d: x}\nz: 1\n",
                       {"a.b=2", "+a.e={p: [1.5, null], q: 'a,b'}", "++a.b=3",
                        "a.c.1=7", "~a.d", "~z=1", "a.e.q=TRUE"});
  EXPECT_EQ(valueOf(doc, "a.b"), Scalar(int64_t{3}));
  EXPECT_EQ(valueOf(doc, "a.c[1]"), Scalar(int64_t{7}));
  EXPECT_EQ(valueOf(doc, "a.e.p[0]"), Scalar(1.5));
  EXPECT_EQ(valueOf(doc, "a.e.q"), Scalar(true));
  EXPECT_EQ(doc.find("a.d"), nullptr);
  EXPECT_EQ(doc.find("z"), nullptr);
  EXPECT_EQ(doc.where("a.b"), "command line: '++a.b=3'");
}

TEST(Overrides, AreResolvedAfterwards) {
  Document doc = parse("n: 1\nm: ${n}\n", {"n=5", "+k='${m}'"});
  EXPECT_EQ(valueOf(doc, "m"), Scalar(int64_t{5}));
  EXPECT_EQ(valueOf(doc, "k"), Scalar(int64_t{5}));
}

TEST(Overrides, ValuesFollowHydrasGrammar) {
  auto value = [](const std::string &text) {
    return valueOf(parse("a: 0\n", {"a=" + text}), "a");
  };
  EXPECT_EQ(value("1e-3"), Scalar(1e-3));
  EXPECT_EQ(value("007"), Scalar(std::string("007")));
  EXPECT_EQ(value("a b "), Scalar(std::string("a b")));
  EXPECT_EQ(value("/x/y-1.2"), Scalar(std::string("/x/y-1.2")));
  EXPECT_EQ(value("a\\,b"), Scalar(std::string("a,b")));
  EXPECT_EQ(value("'it\\'s'"), Scalar(std::string("it's")));
  EXPECT_EQ(value(""), Scalar(std::string()));
  EXPECT_EQ(value("yes"), Scalar(std::string("yes")));
}

TEST(Overrides, ErrorsNameTheLine) {
  std::string text = "trainer: {max_steps: 5}\nl: [1]\n";
  EXPECT_EQ(parseError(text, {"trainer.max_step=3"}),
            "command line: 'trainer.max_step=3': the configuration has no "
            "'trainer.max_step', did you mean 'trainer.max_steps'? (a new key "
            "is added with '+trainer.max_step=...')");
  EXPECT_EQ(parseError(text, {"+trainer.max_steps=3"}),
            "command line: '+trainer.max_steps=3': 'trainer.max_steps' is 5 "
            "already; change it without the '+'");
  EXPECT_EQ(parseError(text, {"~trainer.x"}),
            "command line: '~trainer.x': nothing to delete: 'trainer.x' is "
            "absent");
  EXPECT_EQ(parseError(text, {"l.3=1"}),
            "command line: 'l.3=1': 'l.3': the list has 1 elements");
  EXPECT_EQ(parseError(text, {"trainer.max_steps=1,2"}),
            "command line: 'trainer.max_steps=1,2': a list of values to sweep "
            "over is not supported; a list is written [a,b]");
  EXPECT_EQ(parseError(text, {"trainer.max_steps"}),
            "command line: 'trainer.max_steps': a value is missing: write "
            "trainer.max_steps=VALUE");
  EXPECT_EQ(parseError(text, {"a!=1", "b[0]=2"}),
            "command line: 'a!=1': unexpected '!' at character 2; quote the "
            "value: key='...'\n"
            "error: command line: 'b[0]=2': unexpected '[' at character 2; an "
            "element of a list is written a.0=v");
}

TEST(Yaml, AnchorsAndMergesAreExpanded) {
  Document doc = parse("base: &b {p: 1, q: 2}\nuse:\n  <<: *b\n  q: 3\n");
  EXPECT_EQ(valueOf(doc, "use.p"), Scalar(int64_t{1}));
  EXPECT_EQ(valueOf(doc, "use.q"), Scalar(int64_t{3}));
}

TEST(Yaml, PlacesAreExact) {
  Document doc = parse("a:\n  b:   7\n  c: [x, yy]\n");
  EXPECT_EQ(doc.where("a.b"), "f.yaml:2:8");
  EXPECT_EQ(doc.where("a.c[1]"), "f.yaml:3:10");
  EXPECT_EQ(doc.where("a.b.nothing"), "f.yaml:2:8");
  EXPECT_EQ(doc.where("q"), "f.yaml");
}
