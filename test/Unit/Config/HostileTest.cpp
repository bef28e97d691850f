//===- HostileTest.cpp - inputs that are broken or meant to hurt ----------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each gives one clear error, quickly, and never ends the process.
//
//===----------------------------------------------------------------------===//
#include "TestSupport.h"

#include <chrono>

using namespace nxdt;
using namespace nxdt::test;

static std::string repeat(const std::string &text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i)
    out += text;
  return out;
}

TEST(HostileYaml, SyntaxNamesThePlace) {
  EXPECT_EQ(parseError("a: [1, 2\n").substr(0, 25),
            "f.yaml:2:1: not valid YAM");
  EXPECT_EQ(parseError("a: b: c\n").substr(0, 28),
            "f.yaml:1:5: not valid YAML: ");
  EXPECT_EQ(parseError("x: 1\n\ta: 1\n").substr(0, 7), "f.yaml:");
  EXPECT_EQ(parseError("a: 'open\nb: 1\n"),
            "f.yaml:1:4: this quote is never closed");
  EXPECT_EQ(parseError("trainer\n"),
            "f.yaml:1:1: the top level must be a map of sections, not a single "
            "value");
  EXPECT_EQ(parseError("a: 1\ntrainer\n"),
            "f.yaml:2:1: ':' is missing after this key");
  EXPECT_EQ(parseError("a:\n  b:\n  max # 1\n  c: 2\n").substr(0, 34),
            "f.yaml:3:3: a ':' is missing here,");
  EXPECT_EQ(parseError("a:\n  b:\n    max 1\n  c: 2\n"), "");
  EXPECT_EQ(parseError("- 1\n- 2\n"),
            "f.yaml:1:1: the top level must be a map of sections, not a list");
  EXPECT_EQ(parseError("a: 1\nb: 2\na: 3\n"),
            "f.yaml:3:1: duplicate key 'a' (first at line 1)");
  EXPECT_EQ(parseError("a: *nothing\n").substr(0, 11), "f.yaml:1:4:");
  EXPECT_EQ(parseError("a: !python/object x\n"),
            "f.yaml:1:4: the tag '!python/object' is not supported");
  EXPECT_EQ(parseError("[1, 2]: x\n").substr(0, 7), "f.yaml:");
  EXPECT_EQ(parseError("a: 1\n---\nb: 2\n"),
            "f.yaml:3:1: something follows the first document of the file: a "
            "second one, or a stray character");
  EXPECT_NE(parseError("{a: 1},\n"), "");
  EXPECT_NE(parseError(", a\n"), "");
  EXPECT_NE(parseError("a: 1\n---\n"), "");
  EXPECT_EQ(parseError("---\na: 1\n...\n"), "");
  // A line break to YAML 1.1, and invisible.
  EXPECT_NE(parseError("a: 1\xe2\x80\xa8q: 2\n"), "");
  EXPECT_EQ(parseError("%FOO\na: 1\n"),
            "f.yaml:1:1: a line cannot begin with '%'");
}

TEST(HostileYaml, BytesThatAreNoText) {
  EXPECT_EQ(parseError("a: 1\nb: \xff\n"),
            "f.yaml:2:4: byte 0xff does not begin a character of printable "
            "UTF-8 text");
  EXPECT_EQ(parseError("a: \xe2\x82"), "f.yaml:1:4: byte 0xe2 does not begin a "
                                       "character of printable UTF-8 text");
  EXPECT_EQ(parseError(std::string("a: x\0y\n", 7)),
            "f.yaml:1:5: byte 0x00 is a control character; a configuration is "
            "text");
  EXPECT_EQ(parseError("\xed\xa0\x80: 1\n"),
            "f.yaml:1:1: byte 0xed does not begin a character of printable "
            "UTF-8 text");
  EXPECT_EQ(parseError("\xef\xbb\xbf"
                       "a: \xc3\xa9\n"),
            "");
}

TEST(HostileYaml, DeepNesting) {
  EXPECT_NE(parseError("a: " + repeat("[", 100000)), "");
  EXPECT_NE(parseError("a: " + repeat("{b: ", 100000)), "");
  EXPECT_NE(parseError("a: " + repeat("[", 300) + repeat("]", 300) + "\n"), "");
  EXPECT_EQ(parseError("a: " + repeat("[", 100) + repeat("]", 100) + "\n"), "");
  std::string blocks;
  for (int i = 0; i < 3000; ++i)
    blocks += repeat(" ", i) + "a:\n";
  EXPECT_NE(parseError(blocks), "");
}

TEST(HostileYaml, AliasesThatMultiply) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    std::string last = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last +
            repeat(", " + last, 9) + "]\n";
  }
  EXPECT_NE(parseError(text).find("more than 200000 values"),
            std::string::npos);
  EXPECT_EQ(parseError("a: &a [*a]\n"),
            "f.yaml:1:8: an alias inside of what it stands for");
}

TEST(HostileInterpolation, ThatMultiplyOrNeverEnd) {
  auto start = std::chrono::steady_clock::now();
  std::string doubling = "k40: ''\n", growing = "k40: xy\n", lists = "k9: 1\n",
              chain = "k5000: 1\n";
  for (int i = 0; i < 40; ++i) {
    std::string next = "${k" + std::to_string(i + 1) + "}";
    doubling += "k" + std::to_string(i) + ": " + next + next + "\n";
    growing += "k" + std::to_string(i) + ": x" + next + next + "\n";
  }
  for (int i = 0; i < 9; ++i) {
    std::string next = "'${k" + std::to_string(i + 1) + "}'";
    lists +=
        "k" + std::to_string(i) + ": [" + next + repeat(", " + next, 9) + "]\n";
  }
  for (int i = 0; i < 5000; ++i)
    chain += "k" + std::to_string(i) + ": ${k" + std::to_string(i + 1) + "}\n";
  EXPECT_NE(parseError(doubling), "");
  EXPECT_NE(parseError(growing), "");
  EXPECT_NE(parseError(lists), "");
  EXPECT_NE(parseError(chain), "");
  EXPECT_NE(parseError("a: '" + repeat("${", 20000) + "'\n"), "");
  EXPECT_NE(
      parseError("a: '" + repeat("${", 5000) + "a" + repeat("}", 5000) + "'\n"),
      "");
  EXPECT_NE(parseError("a: '${oc.decode:\"" + repeat("[", 50000) + "\"}'\n"),
            "");
  EXPECT_NE(parseError("a: {x: '${b}'}\nb: {y: '${a}'}\n"), "");
  EXPECT_NE(parseError("a: ${multiply:x,999999999999}\n"), "");
  std::chrono::duration<double> seconds =
      std::chrono::steady_clock::now() - start;
  EXPECT_LT(seconds.count(), 15.0);
}

TEST(HostileOverrides, GiveErrors) {
  EXPECT_NE(parseError("a: 1\n", {"a=" + repeat("[", 100000)}), "");
  EXPECT_NE(parseError("a: 1\n", {"a=" + repeat("{b:", 1000)}), "");
  EXPECT_NE(parseError("a: 1\n", {""}), "");
  EXPECT_NE(parseError("a: 1\n", {"="}), "");
  EXPECT_NE(parseError("a: 1\n", {"a='x"}), "");
  EXPECT_NE(parseError("a: 1\n", {"\xff=1"}), "");
  EXPECT_NE(parseError("a: 1\n", {"a=" + repeat("9", 5000)}), "");
  EXPECT_NE(parseError("a: [1]\n", {"a.99999999999999999999=1"}), "");
}

TEST(HostileNumbers, AreErrorsNotOverflows) {
  EXPECT_EQ(parseError("a: " + repeat("9", 5000) + "\n"),
            "f.yaml:1:4: an integer of 5000 digits (at most 4300)");
  EXPECT_EQ(parseError("a: 0x\n"), "");
  EXPECT_EQ(parseError("a: 0b_\n"), "f.yaml:1:4: '0b_' is not an integer");
}

TEST_F(SmallRun, HostileFiles) {
  auto load = [](const std::string &path) {
    return errorOf([&] { loadRunConfig({path, {}, false}); });
  };
  EXPECT_EQ(load(dir.path.string()),
            "'" + dir.path.string() + "' is a directory; a file is needed");
  EXPECT_EQ(load("/no/such.yaml"), "'/no/such.yaml': no such file");
  EXPECT_EQ(load(""), "'': no such file");
  EXPECT_NE(load("/dev/zero").find("is larger than 16 MiB"), std::string::npos);
  EXPECT_NE(load(dir.write("empty.yaml", "")).find("name: is needed"),
            std::string::npos);
  EXPECT_NE(load(dir.write("bin.yaml", "\x7f"
                                       "ELF"))
                .find("control character"),
            std::string::npos);
}

TEST_F(SmallRun, HostileValues) {
  auto refused = [&](const std::string &line) {
    std::string text = error({line});
    EXPECT_NE(text, "") << line;
    return text;
  };
  EXPECT_NE(refused("trainer.max_steps=99999999999999999999")
                .find("does not fit into 64 bits"),
            std::string::npos);
  refused("trainer.max_steps=0");
  refused("trainer.max_steps=[1]");
  refused("trainer=5");
  refused("trainer=null");
  refused("model.optim=adamw");
  refused("model.optim.lr=nan");
  refused("model.optim.lr=-1");
  refused("data.global_batch_size=0");
  refused("data.micro_batch_size=9223372036854775807");
  refused("+trainer.devices=9223372036854775807");
  refused("+trainer={devices: 9223372036854775807, num_nodes: 3}");
  refused("+distributed_strategy={tensor_model_parallel_size: "
          "9223372036854775807, pipeline_model_parallel_size: 3}");
  refused("model.encoder_seq_length=-5");
  refused("+model.num_layers=0");
  refused("+model.num_layers=9223372036854775807");
  refused("+model.hidden_size=63");
  refused("+model.rope_theta=-3");
  refused("+seed=0");
  refused("+exp_manager.name=/abs");
  refused("model.model_config=/no/such");
  refused("name=???");
}

TEST_F(SmallRun, HostileConfigJson) {
  auto refused = [&](const std::string &json) {
    model(json);
    std::string text = error({});
    EXPECT_NE(text, "") << json.substr(0, 100);
    return text;
  };
  EXPECT_EQ(refused("{\"vocab_size\": 5,}").substr(0, 100),
            "run.yaml:10:17: model.model_config = 'hf/config.json': "
            "hf/config.json: not valid JSON: parse error a");
  refused("");
  refused("[]");
  refused("{}");
  refused("{\"vocab_size\": \"many\"}");
  refused(repeat("[", 100000));
  refused(repeat("{\"a\":", 100000));
  refused("{\"a\": \"\xff\"}");
  auto changed = [&](const std::string &from, const std::string &to) {
    std::string json = smallModel();
    json.replace(json.find(from), from.size(), to);
    return refused(json);
  };
  EXPECT_NE(changed("\"vocab_size\": 512", "\"vocab_size\": -1")
                .find("vocab_size = -1: must be an integer of at least 1"),
            std::string::npos);
  changed("\"vocab_size\": 512", "\"vocab_size\": 99999999999999999999");
  changed("\"vocab_size\": 512", "\"vocab_size\": 1e99");
  changed("\"num_attention_heads\": 8", "\"num_attention_heads\": 0");
  changed("\"num_attention_heads\": 8", "\"num_attention_heads\": 7");
  changed("\"num_key_value_heads\": 4", "\"num_key_value_heads\": 3");
  changed("\"llama\"", "\"gpt2\"");
  changed("\"vocab_size\": 512",
          "\"vocab_size\": 512, \"rope_scaling\": {\"type\": \"yarn\"}");
  changed("\"vocab_size\": 512", "\"vocab_size\": 512, \"rope_scaling\": 3");
  changed("\"vocab_size\": 512", "\"vocab_size\": 512, \"rms_norm_eps\": 0");
  changed("\"vocab_size\": 512",
          "\"vocab_size\": 512, \"hidden_act\": \"gelu\"");
}
