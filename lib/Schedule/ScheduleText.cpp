//===- ScheduleText.cpp - schedules as text -------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Schedule/ScheduleText.h"

#include <charconv>
#include <cmath>

namespace nxdt::schedule {
namespace {

using plan::ActionKind;

constexpr ActionKind kKinds[] = {ActionKind::Run, ActionKind::Send,
                                 ActionKind::Recv, ActionKind::Wait,
                                 ActionKind::Free};
/// A list of so many stages may be allocated before they are read.
constexpr int64_t kMaxStages = int64_t(1) << 20;

/// The words of a line, up to a comment. The first error stays.
class Words {
public:
  explicit Words(std::string_view line) {
    line = line.substr(0, line.find('#'));
    while (true) {
      size_t first = line.find_first_not_of(" \t\r");
      if (first == std::string_view::npos)
        return;
      line.remove_prefix(first);
      std::string_view word = line.substr(0, line.find_first_of(" \t\r"));
      words.push_back(word);
      line.remove_prefix(word.size());
    }
  }

  bool isAtEnd() const { return next == words.size(); }

  /// Takes the word if it comes next.
  bool accept(std::string_view word) {
    if (isAtEnd() || words[next] != word)
      return false;
    ++next;
    return true;
  }

  std::string_view take(std::string_view expected) {
    if (isAtEnd()) {
      fail(expected);
      return {};
    }
    return words[next++];
  }

  void want(std::string_view word) {
    if (!accept(word))
      fail("'" + std::string(word) + "'");
  }

  int64_t takeCount(std::string_view expected) {
    int64_t value = -1;
    if (!takeNumber(value) || value < 0) {
      next = std::min(next, words.size());
      fail(expected);
      return 0;
    }
    ++next;
    return value;
  }

  double takeSeconds() {
    double value = -1;
    if (!takeNumber(value) || !std::isfinite(value) || value < 0) {
      fail("a time in seconds");
      return 0;
    }
    ++next;
    return value;
  }

  void wantEnd() {
    if (!isAtEnd())
      fail("the end of the line");
  }

  void fail(std::string_view expected) {
    if (error.empty())
      error = "expected " + std::string(expected) + ", not " +
              (isAtEnd() ? "the end of the line"
                         : "'" + std::string(words[next]) + "'");
  }

  std::string error;

private:
  template <typename T> bool takeNumber(T &value) const {
    if (isAtEnd())
      return false;
    std::string_view word = words[next];
    auto [end, code] =
        std::from_chars(word.data(), word.data() + word.size(), value);
    return code == std::errc() && end == word.data() + word.size();
  }

  std::vector<std::string_view> words;
  size_t next = 0;
};

Action takeAction(Words &words) {
  Action action;
  bool isKnown = false;
  for (ActionKind kind : kKinds)
    if (words.accept(plan::name(kind))) {
      action.kind = kind;
      isKnown = true;
      break;
    }
  if (!isKnown)
    words.fail("run, send, recv, wait or free");
  bool isRun = action.kind == ActionKind::Run;
  bool isFree = action.kind == ActionKind::Free;
  action.name = words.take(isRun    ? "a program's name"
                           : isFree ? "a buffer's name"
                                    : "a channel's name");
  action.microBatch = words.takeCount("a micro-batch");
  words.wantEnd();
  return action;
}

Channel takeChannel(Words &words) {
  Channel channel;
  channel.name = words.take("a channel's name");
  words.want("stage");
  channel.fromStage = words.takeCount("a stage");
  words.want("to");
  channel.toStage = words.takeCount("a stage");
  channel.isOnce = words.accept("once");
  if (words.accept("after"))
    channel.producer = words.take("a program's name");
  if (words.accept("before"))
    channel.consumer = words.take("a program's name");
  if (words.accept("takes"))
    channel.transfer_s = words.takeSeconds();
  words.wantEnd();
  return channel;
}

std::string seconds(double value) {
  char text[64];
  auto [end, code] = std::to_chars(text, text + sizeof(text), value);
  return std::string(text, code == std::errc() ? end : text);
}

/// What comes next in the fixed head of a schedule.
enum class Expecting { Name, Stages, Chunks, MicroBatches, Rest };

class Parser {
public:
  Parsed<PipelineSchedule> run(std::string_view text) {
    int64_t number = 0;
    while (!text.empty()) {
      size_t end = text.find('\n');
      Words words(text.substr(0, end));
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      ++number;
      if (words.isAtEnd())
        continue;
      takeLine(words);
      if (!words.error.empty())
        return {std::nullopt,
                "line " + std::to_string(number) + ": " + words.error};
    }
    if (expecting != Expecting::Rest || stage + 1 != schedule.stages)
      return {std::nullopt,
              "line " + std::to_string(number + 1) + ": expected " +
                  (expecting != Expecting::Rest
                       ? std::string("'") + headWord() + "'"
                       : "'stage " + std::to_string(stage + 1) + "'") +
                  ", not the end of the text"};
    return {std::move(schedule), ""};
  }

private:
  const char *headWord() const {
    switch (expecting) {
    case Expecting::Name:
      return "schedule";
    case Expecting::Stages:
      return "stages";
    case Expecting::Chunks:
      return "chunks";
    case Expecting::MicroBatches:
      return "micro-batches";
    case Expecting::Rest:
      break;
    }
    return "";
  }

  void takeLine(Words &words) {
    if (expecting != Expecting::Rest)
      return takeHead(words);
    if (words.accept("stage")) {
      int64_t number = words.takeCount("a stage");
      words.wantEnd();
      if (number != stage + 1 || number >= schedule.stages)
        words.error =
            words.error.empty()
                ? stage + 1 < schedule.stages
                      ? "expected stage " + std::to_string(stage + 1) +
                            ", not " + std::to_string(number)
                      : "there are only " + std::to_string(schedule.stages) +
                            " stages, no stage " + std::to_string(number)
                : words.error;
      ++stage;
      return;
    }
    if (stage < 0) {
      if (words.accept("channel"))
        schedule.channels.push_back(takeChannel(words));
      else
        words.fail("'channel' or 'stage'");
      return;
    }
    schedule.actions[stage].push_back(takeAction(words));
  }

  void takeHead(Words &words) {
    words.want(headWord());
    int64_t *count = nullptr;
    switch (expecting) {
    case Expecting::Name:
      schedule.name = words.take("a schedule's name");
      expecting = Expecting::Stages;
      break;
    case Expecting::Stages:
      count = &schedule.stages;
      expecting = Expecting::Chunks;
      break;
    case Expecting::Chunks:
      count = &schedule.chunksPerStage;
      expecting = Expecting::MicroBatches;
      break;
    case Expecting::MicroBatches:
      count = &schedule.microBatches;
      expecting = Expecting::Rest;
      break;
    case Expecting::Rest:
      break;
    }
    if (count) {
      *count = words.takeCount("a count");
      if (words.error.empty() && (*count < 1 || *count > kMaxStages))
        words.error = "expected a count from 1 to " +
                      std::to_string(kMaxStages) + ", not " +
                      std::to_string(*count);
      if (words.error.empty() && count == &schedule.stages)
        schedule.actions.resize(*count);
    }
    words.wantEnd();
  }

  PipelineSchedule schedule;
  Expecting expecting = Expecting::Name;
  int64_t stage = -1;
};

} // namespace

std::string print(const Action &action) {
  return std::string(plan::name(action.kind)) + " " + action.name + " " +
         std::to_string(action.microBatch);
}

std::string print(const PipelineSchedule &schedule) {
  std::string text = "schedule " + schedule.name + "\nstages " +
                     std::to_string(schedule.stages) + "\nchunks " +
                     std::to_string(schedule.chunksPerStage) +
                     "\nmicro-batches " +
                     std::to_string(schedule.microBatches) + "\n";
  for (const Channel &channel : schedule.channels) {
    text += "channel " + channel.name + " stage " +
            std::to_string(channel.fromStage) + " to " +
            std::to_string(channel.toStage);
    if (channel.isOnce)
      text += " once";
    if (!channel.producer.empty())
      text += " after " + channel.producer;
    if (!channel.consumer.empty())
      text += " before " + channel.consumer;
    if (channel.transfer_s != 0)
      text += " takes " + seconds(channel.transfer_s);
    text += "\n";
  }
  for (size_t stage = 0; stage < schedule.actions.size(); ++stage) {
    text += "stage " + std::to_string(stage) + "\n";
    for (const Action &action : schedule.actions[stage])
      text += print(action) + "\n";
  }
  return text;
}

Parsed<Action> parseAction(std::string_view line) {
  Words words(line);
  Action action = takeAction(words);
  if (!words.error.empty())
    return {std::nullopt, words.error};
  return {std::move(action), ""};
}

Parsed<PipelineSchedule> parseSchedule(std::string_view text) {
  return Parser().run(text);
}

} // namespace nxdt::schedule
