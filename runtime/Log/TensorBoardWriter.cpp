//===- TensorBoardWriter.cpp - TensorBoard event files --------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Log/TensorBoardWriter.h"

#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/Crc.h"
#include "runtime/Checkpoint/Files.h"

#include <bit>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <string>
#include <unistd.h>

namespace nxdt::runtime {

namespace {

//===----------------------------------------------------------------------===//
// Protocol buffers, the little that an Event needs
//===----------------------------------------------------------------------===//

enum WireType { Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5 };

class Message {
public:
  Message &varint(int field, uint64_t value) {
    key(field, Varint);
    raw(value);
    return *this;
  }
  Message &fixed64(int field, double value) {
    key(field, Fixed64);
    little(std::bit_cast<uint64_t>(value));
    return *this;
  }
  Message &fixed32(int field, float value) {
    key(field, Fixed32);
    little(std::bit_cast<uint32_t>(value));
    return *this;
  }
  Message &bytes(int field, std::string_view value) {
    key(field, Bytes);
    raw(value.size());
    text += value;
    return *this;
  }
  std::string text;

private:
  void key(int field, WireType type) {
    raw(static_cast<uint64_t>(field) << 3 | type);
  }
  void raw(uint64_t value) {
    for (; value >= 0x80; value >>= 7)
      text.push_back(static_cast<char>(value | 0x80));
    text.push_back(static_cast<char>(value));
  }
  template <typename T> void little(T value) {
    for (size_t i = 0; i < sizeof(T); ++i)
      text.push_back(static_cast<char>(value >> (8 * i)));
  }
};

// Fields of tensorflow.Event, Summary, Summary.Value and SessionLog.
constexpr int kEventWallTime = 1;
constexpr int kEventStep = 2;
constexpr int kEventFileVersion = 3;
constexpr int kEventSummary = 5;
constexpr int kEventSessionLog = 7;
constexpr int kSummaryValue = 1;
constexpr int kValueTag = 1;
constexpr int kValueSimpleValue = 2;
constexpr int kSessionStatus = 1;
constexpr uint64_t kSessionStart = 1;

/// The checksum of TFRecord.
uint32_t masked(std::string_view text) {
  uint32_t crc = crc32c(0, text.data(), text.size());
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

double wallTimeS() {
  return std::chrono::duration<double>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string hostName() {
  char name[256] = {};
  if (::gethostname(name, sizeof(name) - 1) != 0 || name[0] == 0)
    return "localhost";
  return name;
}

} // namespace

TensorBoardWriter::TensorBoardWriter(const std::string &logDir,
                                     int64_t resumeStep) {
  makeFolders(logDir);
  std::string base = logDir + "/events.out.tfevents." +
                     std::to_string(static_cast<int64_t>(wallTimeS())) + "." +
                     hostName();
  // Two runs of one second get two files.
  for (int k = 0; fd < 0; ++k) {
    file = k == 0 ? base : base + "." + std::to_string(k);
    fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno != EEXIST)
      throwSystemError(file, "cannot be written");
  }
  writeEvent(Message()
                 .fixed64(kEventWallTime, wallTimeS())
                 .bytes(kEventFileVersion, "brain.Event:2")
                 .text);
  if (resumeStep <= 0)
    return;
  Message start;
  start.varint(kSessionStatus, kSessionStart);
  writeEvent(Message()
                 .fixed64(kEventWallTime, wallTimeS())
                 .varint(kEventStep, static_cast<uint64_t>(resumeStep + 1))
                 .bytes(kEventSessionLog, start.text)
                 .text);
}

TensorBoardWriter::~TensorBoardWriter() { ::close(fd); }

void TensorBoardWriter::scalar(std::string_view tag, int64_t step,
                               double value) {
  Message entry;
  entry.bytes(kValueTag, tag)
      .fixed32(kValueSimpleValue, static_cast<float>(value));
  Message summary;
  summary.bytes(kSummaryValue, entry.text);
  writeEvent(Message()
                 .fixed64(kEventWallTime, wallTimeS())
                 .varint(kEventStep, static_cast<uint64_t>(step))
                 .bytes(kEventSummary, summary.text)
                 .text);
}

void TensorBoardWriter::logStep(const StepMetrics &metrics,
                                int64_t globalBatchSize, bool logGradientNorm) {
  int64_t step = metrics.step;
  scalar("reduced_train_loss", step, metrics.loss);
  scalar("lr", step, metrics.lr);
  if (logGradientNorm)
    scalar("gradient_norm", step, metrics.gradNorm);
  if (metrics.parameterNorm)
    scalar("parameter_norm", step, *metrics.parameterNorm);
  scalar("global_step", step, static_cast<double>(step));
  scalar("consumed_samples", step,
         static_cast<double>(metrics.consumedSamples));
  if (metrics.stepTimeS > 0)
    scalar("throughput", step,
           static_cast<double>(globalBatchSize) / metrics.stepTimeS);
  scalar("tokens_per_s", step, metrics.tokensPerS);
  scalar("step_time", step, metrics.stepTimeS);
}

void TensorBoardWriter::logEval(int64_t step, double valLoss) {
  scalar("val_loss", step, valLoss);
}

/// A TFRecord: length, its checksum, the bytes, their checksum; in one write.
void TensorBoardWriter::writeEvent(std::string_view event) {
  auto append = [](std::string &to, auto value) {
    for (size_t i = 0; i < sizeof(value); ++i)
      to.push_back(static_cast<char>(value >> (8 * i)));
  };
  std::string record;
  append(record, static_cast<uint64_t>(event.size()));
  append(record, masked(record));
  record += event;
  append(record, masked(event));
  const char *p = record.data();
  size_t left = record.size();
  while (left > 0) {
    ssize_t done = ::write(fd, p, left);
    if (done < 0 && errno == EINTR)
      continue;
    if (done < 0)
      throwSystemError(file, "cannot be written");
    p += done;
    left -= static_cast<size_t>(done);
  }
}

} // namespace nxdt::runtime
