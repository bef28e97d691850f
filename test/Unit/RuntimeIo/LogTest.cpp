//===- LogTest.cpp - metrics, TensorBoard, progress -----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include "nxdt/Support/Format.h"
#include "runtime/Checkpoint/Crc.h"
#include "runtime/Log/MetricsWriter.h"
#include "runtime/Log/Progress.h"
#include "runtime/Log/TensorBoardWriter.h"

#include "nlohmann/json.hpp"

#include <cmath>
#include <map>
#include <pty.h>
#include <sstream>
#include <unistd.h>

namespace fs = std::filesystem;

using namespace nxdt::runtime;
using namespace nxdt::runtime::test;
using Json = nlohmann::json;

namespace {

StepMetrics metricsAt(int64_t step) {
  StepMetrics metrics;
  metrics.step = step;
  metrics.loss = 1.0 / 3.0;
  metrics.gradNorm = 0.1f;
  metrics.lr = 1e-4;
  metrics.consumedSamples = step * 8;
  metrics.stepTimeS = 0.25;
  metrics.tokensPerS = 2048;
  metrics.peakMemoryBytes = int64_t{3} << 30;
  return metrics;
}

std::vector<Json> lines(const std::string &path) {
  std::vector<Json> result;
  std::stringstream text(readFile(path));
  for (std::string line; std::getline(text, line);)
    result.push_back(Json::parse(line));
  return result;
}

//===----------------------------------------------------------------------===//
// An event file, decoded by code that shares nothing with the writer
//===----------------------------------------------------------------------===//

struct Event {
  int64_t step = 0;
  double wallTimeS = 0;
  std::string version;
  std::string tag;
  float value = NAN;
  int64_t sessionStatus = 0;
};

class Decoder {
public:
  explicit Decoder(std::string_view text) : text(text) {}
  bool done() const { return at == text.size(); }
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      auto byte = static_cast<unsigned char>(text.at(at++));
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80)
        return value;
    }
  }
  std::string_view take(size_t count) {
    if (count > text.size() - at)
      throw std::runtime_error("truncated");
    at += count;
    return text.substr(at - count, count);
  }
  template <typename T> T fixed() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }

private:
  std::string_view text;
  size_t at = 0;
};

void decodeValue(std::string_view text, Event &event) {
  for (Decoder in(text); !in.done();) {
    uint64_t key = in.varint();
    if (key == (1 << 3 | 2))
      event.tag = in.take(in.varint());
    else if (key == (2 << 3 | 5))
      event.value = in.fixed<float>();
    else
      throw std::runtime_error("unknown field of a value");
  }
}

Event decodeEvent(std::string_view text) {
  Event event;
  for (Decoder in(text); !in.done();) {
    uint64_t key = in.varint();
    if (key == (1 << 3 | 1)) {
      event.wallTimeS = in.fixed<double>();
    } else if (key == (2 << 3 | 0)) {
      event.step = static_cast<int64_t>(in.varint());
    } else if (key == (3 << 3 | 2)) {
      event.version = in.take(in.varint());
    } else if (key == (5 << 3 | 2)) {
      Decoder summary(in.take(in.varint()));
      EXPECT_EQ(summary.varint(), 1u << 3 | 2);
      decodeValue(summary.take(summary.varint()), event);
      EXPECT_TRUE(summary.done());
    } else if (key == (7 << 3 | 2)) {
      Decoder session(in.take(in.varint()));
      EXPECT_EQ(session.varint(), 1u << 3 | 0);
      event.sessionStatus = static_cast<int64_t>(session.varint());
    } else {
      throw std::runtime_error("unknown field of an event");
    }
  }
  return event;
}

uint32_t unmask(uint32_t value) {
  value -= 0xa282ead8u;
  return (value >> 17) | (value << 15);
}

std::vector<Event> decodeFile(const std::string &path) {
  std::string text = readFile(path);
  std::vector<Event> events;
  for (Decoder in(text); !in.done();) {
    std::string_view length = in.take(8);
    EXPECT_EQ(unmask(in.fixed<uint32_t>()),
              crc32cPortable(0, length.data(), 8));
    uint64_t size;
    std::memcpy(&size, length.data(), 8);
    std::string_view event = in.take(size);
    EXPECT_EQ(unmask(in.fixed<uint32_t>()),
              crc32cPortable(0, event.data(), event.size()));
    events.push_back(decodeEvent(event));
  }
  return events;
}

std::string printed(const std::function<void(Progress &)> &use) {
  char *text = nullptr;
  size_t size = 0;
  std::FILE *out = ::open_memstream(&text, &size);
  {
    Progress progress(out, 10, /*bar=*/true);
    use(progress);
  }
  std::fclose(out);
  std::string result(text, size);
  ::free(text);
  return result;
}

} // namespace

TEST(Metrics, FieldsAndPrecision) {
  TempDir dir;
  MetricsWriter writer(dir / "log", std::nullopt);
  writer.logStep(metricsAt(1));
  writer.logEval(1, 0.1);
  // Each line is there at once.
  auto json = lines(dir / "log/metrics.jsonl");
  ASSERT_EQ(json.size(), 2u);
  std::vector<std::string> keys;
  for (const auto &[key, value] : json[0].items())
    keys.push_back(key);
  EXPECT_EQ(keys,
            (std::vector<std::string>{"consumed_samples", "grad_norm", "loss",
                                      "lr", "peak_memory_bytes", "step",
                                      "step_time_s", "tokens_per_s"}));
  EXPECT_EQ(json[0]["loss"].get<double>(), 1.0 / 3.0);
  EXPECT_EQ(json[0]["grad_norm"].get<double>(), static_cast<double>(0.1f));
  EXPECT_EQ(json[0]["lr"].get<double>(), 1e-4);
  EXPECT_EQ(json[0]["step"], 1);
  EXPECT_EQ(json[1].dump(), R"({"step":1,"val_loss":0.1})");

  StepMetrics more = metricsAt(2);
  more.parameterNorm = 7.5;
  more.loss = NAN;
  writer.logStep(more);
  json = lines(dir / "log/metrics.jsonl");
  EXPECT_EQ(json[2]["parameter_norm"], 7.5);
  EXPECT_TRUE(json[2]["loss"].is_null());
}

TEST(Metrics, ResumeCutsOff) {
  TempDir dir;
  std::string path = dir / "metrics.jsonl";
  {
    MetricsWriter writer(dir.path, std::nullopt);
    for (int64_t step : {1, 2, 3, 4})
      writer.logStep(metricsAt(step));
    writer.logEval(2, 1.0);
    writer.logEval(4, 1.0);
  }
  std::string torn = readFile(path) + "{\"step\":2,\"lo";
  put(path, torn);
  {
    MetricsWriter writer(dir.path, 2);
    EXPECT_EQ(writer.movedTo(), "");
    writer.logStep(metricsAt(3));
  }
  auto json = lines(path);
  ASSERT_EQ(json.size(), 4u);
  EXPECT_EQ(json[0]["step"], 1);
  EXPECT_EQ(json[1]["step"], 2);
  EXPECT_EQ(json[2].dump(), R"({"step":2,"val_loss":1.0})");
  EXPECT_EQ(json[3]["step"], 3);
  // A resume that found no checkpoint.
  MetricsWriter(dir.path, 0);
  EXPECT_EQ(readFile(path), "");
  EXPECT_FALSE(fs::exists(path + ".tmp"));
}

TEST(Metrics, ANewRunMovesTheOldFile) {
  TempDir dir;
  { MetricsWriter(dir.path, std::nullopt).logEval(1, 0.5); }
  MetricsWriter second(dir.path, std::nullopt);
  EXPECT_EQ(second.movedTo(), dir / "run_0/metrics.jsonl");
  EXPECT_EQ(lines(second.movedTo()).size(), 1u);
  second.logEval(2, 0.5);
  EXPECT_EQ(MetricsWriter(dir.path, std::nullopt).movedTo(),
            dir / "run_1/metrics.jsonl");
}

TEST(Metrics, ForeignLines) {
  TempDir dir;
  put(dir / "metrics.jsonl", "{\"step\":1}\nhello\n");
  expectError([&] { MetricsWriter(dir.path, 5); },
              {"metrics.jsonl:2: is no line of metrics"});
  put(dir / "file", "x");
  expectError([&] { MetricsWriter(dir / "file", 5); }, {dir / "file"});
}

TEST(TensorBoard, TagsAndValues) {
  TempDir dir;
  StepMetrics metrics = metricsAt(300);
  metrics.parameterNorm = 12.5;
  std::string path;
  {
    TensorBoardWriter writer(dir.path);
    path = writer.path();
    writer.logStep(metrics, /*globalBatchSize=*/8, /*logGradientNorm=*/true);
    writer.logEval(300, 2.25);
  }
  std::string name = fs::path(path).filename().string();
  EXPECT_EQ(name.rfind("events.out.tfevents.", 0), 0u) << name;
  std::vector<Event> events = decodeFile(path);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events[0].version, "brain.Event:2");
  std::map<std::string, float> values;
  for (size_t i = 1; i < events.size(); ++i) {
    EXPECT_EQ(events[i].step, 300);
    EXPECT_GT(events[i].wallTimeS, 1.7e9);
    values[events[i].tag] = events[i].value;
  }
  std::map<std::string, float> expected = {{"reduced_train_loss", 1.0f / 3.0f},
                                           {"lr", 1e-4f},
                                           {"gradient_norm", 0.1f},
                                           {"parameter_norm", 12.5f},
                                           {"global_step", 300.0f},
                                           {"consumed_samples", 2400.0f},
                                           {"throughput", 32.0f},
                                           {"tokens_per_s", 2048.0f},
                                           {"step_time", 0.25f},
                                           {"val_loss", 2.25f}};
  EXPECT_EQ(values, expected);
}

TEST(TensorBoard, OptionalTags) {
  TempDir dir;
  TensorBoardWriter writer(dir.path);
  writer.logStep(metricsAt(1), 8, /*logGradientNorm=*/false);
  for (const Event &event : decodeFile(writer.path())) {
    EXPECT_NE(event.tag, "gradient_norm");
    EXPECT_NE(event.tag, "parameter_norm");
  }
}

TEST(TensorBoard, TwoFilesOfOneSecondAndResume) {
  TempDir dir;
  TensorBoardWriter first(dir.path);
  TensorBoardWriter second(dir.path, 40);
  EXPECT_NE(first.path(), second.path());
  std::vector<Event> events = decodeFile(second.path());
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[1].sessionStatus, 1); // START: drop steps from here on
  EXPECT_EQ(events[1].step, 41);
}

TEST(Progress, LinesWhereThereIsNoTerminal) {
  std::string text = printed([](Progress &progress) {
    progress.step(metricsAt(3));
    progress.eval(3, 1.5);
    progress.message("hello");
  });
  EXPECT_EQ(text, "step 3/10  loss 0.3333  grad_norm 0.100  lr 0.0001  2.05k "
                  "tokens/s  250 ms/step  3.00 GiB\n"
                  "step 3  val_loss 1.5000\nhello\n");
}

TEST(Progress, BarOnATerminal) {
  int control = -1;
  int terminal = -1;
  winsize size{24, 60, 0, 0};
  ASSERT_EQ(::openpty(&control, &terminal, nullptr, nullptr, &size), 0);
  ::setenv("TERM", "xterm", 1);
  std::FILE *out = ::fdopen(terminal, "w");
  {
    Progress progress(out, 10, /*bar=*/true);
    progress.step(metricsAt(5));
    progress.message("hello");
    progress.step(metricsAt(6)); // too soon to be drawn
  }
  char buffer[4096];
  std::string text(buffer, static_cast<size_t>(::read(control, buffer, 4096)));
  std::fclose(out);
  ::close(control);
  std::string bar =
      "[##########..........] step 5/10  loss 0.3333  grad_norm 0.333";
  bar.resize(59); // one less than the terminal is wide
  EXPECT_EQ(text.rfind("\r" + bar + "\033[K\r\033[Khello\r\n", 0), 0u) << text;
  EXPECT_NE(text.find("\r[############........] step 6/10"), std::string::npos)
      << text;
  EXPECT_EQ(text.substr(text.size() - 2), "\r\n");
}

TEST(Format, Numbers) {
  EXPECT_EQ(nxdt::humanBytes(0), "0 B");
  EXPECT_EQ(nxdt::humanBytes(1023), "1023 B");
  EXPECT_EQ(nxdt::humanBytes(1536), "1.50 KiB");
  EXPECT_EQ(nxdt::humanBytes((int64_t{1} << 20) - 1), "1.00 MiB");
  EXPECT_EQ(nxdt::humanBytes(int64_t{5} << 40), "5.00 TiB");
  EXPECT_EQ(nxdt::humanCount(950), "950");
  EXPECT_EQ(nxdt::humanCount(999.6), "1.00k");
  EXPECT_EQ(nxdt::humanCount(12345), "12.3k");
  EXPECT_EQ(nxdt::humanCount(8.03e9), "8.03B");
  EXPECT_EQ(nxdt::humanCount(999600), "1.00M");
  EXPECT_EQ(nxdt::humanDuration(0.00085), "0.85 ms");
  EXPECT_EQ(nxdt::humanDuration(1.234), "1.23 s");
  EXPECT_EQ(nxdt::humanDuration(125), "2:05");
  EXPECT_EQ(nxdt::humanDuration(3725), "1:02:05");
  EXPECT_EQ(nxdt::withCommas(1234567), "1,234,567");
  EXPECT_EQ(nxdt::withCommas(-123), "-123");
  EXPECT_EQ(nxdt::withCommas(-1234), "-1,234");
  EXPECT_EQ(nxdt::withCommas(0), "0");
}

TEST(Format, BytesAreRead) {
  EXPECT_EQ(nxdt::parseBytes("1024"), 1024);
  EXPECT_EQ(nxdt::parseBytes("7B"), 7);
  EXPECT_EQ(nxdt::parseBytes("16GiB"), int64_t{16} << 30);
  EXPECT_EQ(nxdt::parseBytes("1.5 TiB"), int64_t{3} << 39);
  EXPECT_EQ(nxdt::parseBytes("80GB"), 80'000'000'000);
  for (const char *text : {"", "GiB", "-1", "1.5.5GiB", "16 gigs", "16  GiB",
                           "16GiB ", "1e3", "99999PiB", "."})
    EXPECT_EQ(nxdt::parseBytes(text), std::nullopt) << text;
}
