//===- ScheduleJson.cpp - channels and schedules as JSON --------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ScheduleJson.h"
#include "nxdt/Plan/PlanJson.h"

#include <charconv>
#include <map>

namespace nxdt::plan {

using namespace json;

namespace {

constexpr ActionKind kKinds[] = {ActionKind::Run, ActionKind::Send,
                                 ActionKind::Recv, ActionKind::Wait,
                                 ActionKind::Free};

/// What actions of a kind name.
const char *targetOf(ActionKind kind) {
  switch (kind) {
  case ActionKind::Run:
    return "program";
  case ActionKind::Free:
    return "buffer";
  case ActionKind::Send:
  case ActionKind::Recv:
  case ActionKind::Wait:
    break;
  }
  return "channel";
}

/// The name of what an action is about; null if its index is none.
const std::string *nameOf(const Plan &plan, const Action &action) {
  auto at = [&](const auto &list) {
    bool exists = action.index >= 0 && size_t(action.index) < list.size();
    return exists ? &list[size_t(action.index)].name : nullptr;
  };
  switch (action.kind) {
  case ActionKind::Run:
    return at(plan.programs);
  case ActionKind::Free:
    return at(plan.buffers);
  case ActionKind::Send:
  case ActionKind::Recv:
  case ActionKind::Wait:
    break;
  }
  return at(plan.channels);
}

/// Looks names up; of those that stand twice, which `verify` refuses, the first
/// one counts.
class Names {
public:
  explicit Names(const Plan &plan) {
    auto add = [this](const char *target, const auto &list) {
      for (size_t i = 0; i < list.size(); ++i)
        indices[target].emplace(list[i].name, int32_t(i));
    };
    add("program", plan.programs);
    add("channel", plan.channels);
    add("buffer", plan.buffers);
  }

  /// -1 if there is none.
  int32_t find(const std::string &target, std::string_view name) const {
    auto list = indices.find(target);
    if (list == indices.end())
      return -1;
    auto it = list->second.find(name);
    return it == list->second.end() ? -1 : it->second;
  }

private:
  std::map<std::string, std::map<std::string, int32_t, std::less<>>> indices;
};

/// `run forward.1 3`: the name is what stands between the first and the last
/// space.
Action action(const Json &json, const Place &place, const Names &names) {
  std::string text = string(json, place);
  size_t first = text.find(' ');
  size_t last = text.rfind(' ');
  auto malformed = [&]() {
    fail(place, "expected '<run|send|recv|wait|free> <name> <micro-batch>', "
                "found " +
                    shown(json));
  };
  if (first == std::string::npos || last <= first + 1)
    malformed();
  Action out;
  bool isKnown = false;
  for (ActionKind kind : kKinds)
    if (text.compare(0, first, name(kind)) == 0) {
      out.kind = kind;
      isKnown = true;
    }
  const char *digits = text.data() + last + 1;
  const char *end = text.data() + text.size();
  auto [parsed, error] = std::from_chars(digits, end, out.microBatch);
  if (!isKnown || error != std::errc() || parsed != end)
    malformed();
  std::string_view named =
      std::string_view(text).substr(first + 1, last - first - 1);
  out.index = names.find(targetOf(out.kind), named);
  if (out.index < 0)
    fail(place, "there is no " + std::string(targetOf(out.kind)) + " '" +
                    std::string(named) + "'");
  return out;
}

Channel channel(const Json &json, const Place &place) {
  Object object(json, place);
  Channel out;
  out.name = string(object["name"], place.at("name"));
  std::string direction = string(object["direction"], place.at("direction"));
  if (direction != "send" && direction != "recv")
    fail(place.at("direction"),
         "unknown direction '" + direction + "' (known: send, recv)");
  out.isSend = direction == "send";
  out.peer = integer(object["peer"], place.at("peer"));
  out.buffer = integer32(object["buffer"], place.at("buffer"));
  out.reason = string(object["reason"], place.at("reason"));
  object.finish();
  return out;
}

Schedule schedule(const Json &json, const Place &place, const Names &names) {
  Object object(json, place);
  Schedule out;
  out.name = string(object["name"], place.at("name"));
  out.microBatches =
      integer(object["micro_batches"], place.at("micro_batches"));
  out.actions = list<Action>(object["actions"], place.at("actions"),
                             [&](const Json &item, const Place &at) {
                               return action(item, at, names);
                             });
  object.finish();
  return out;
}

void appendChannel(std::string &out, const Channel &channel) {
  out += R"({"name":)";
  appendString(out, channel.name);
  out += R"(,"direction":)";
  appendString(out, channel.isSend ? "send" : "recv");
  out += R"(,"peer":)" + std::to_string(channel.peer);
  out += R"(,"buffer":)" + std::to_string(channel.buffer);
  out += R"(,"reason":)";
  appendString(out, channel.reason);
  out += '}';
}

/// [ item, newline, item ... ] with one item per line.
template <typename Range, typename Writer>
void appendLines(std::string &out, const Range &list, Writer writer) {
  out += '[';
  for (size_t i = 0; i < list.size(); ++i) {
    out += i ? ",\n" : "\n";
    writer(list[i]);
  }
  out += ']';
}

} // namespace

std::string actionText(const Plan &plan, const Action &action) {
  const std::string *named = nameOf(plan, action);
  return std::string(name(action.kind)) + " " +
         (named ? *named : "#" + std::to_string(action.index)) + " " +
         std::to_string(action.microBatch);
}

void appendSchedules(std::string &out, const Plan &plan) {
  if (plan.channels.empty() && plan.schedules.empty())
    return;
  out += ",\n\"channels\":";
  appendLines(out, plan.channels,
              [&](const Channel &channel) { appendChannel(out, channel); });
  out += ",\n\"schedules\":";
  appendLines(out, plan.schedules, [&](const Schedule &schedule) {
    out += R"({"name":)";
    appendString(out, schedule.name);
    out += R"(,"micro_batches":)" + std::to_string(schedule.microBatches);
    out += R"(,"actions":)";
    appendLines(out, schedule.actions, [&](const Action &action) {
      appendString(out, actionText(plan, action));
    });
    out += '}';
  });
}

void readSchedules(Object &object, const Place &place, Plan &plan) {
  if (!object.has("channels") && !object.has("schedules"))
    return;
  plan.channels =
      list<Channel>(object["channels"], place.at("channels"), channel);
  Names names(plan);
  plan.schedules = list<Schedule>(object["schedules"], place.at("schedules"),
                                  [&](const Json &item, const Place &at) {
                                    return schedule(item, at, names);
                                  });
}

} // namespace nxdt::plan
