//===- PlanJson.h - the plan as JSON ----------------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One instruction per line, keys in a fixed order, doubles in the shortest form
// that reads back to the same bits: equal plans give equal bytes. docs/Plan.md
// is the schema.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PLAN_PLANJSON_H
#define NXDT_PLAN_PLANJSON_H

#include "nxdt/Plan/Plan.h"

#include <string>
#include <string_view>

namespace nxdt::plan {

/// The plan's JSON text. Throws UserError if a string is not UTF-8.
std::string toJson(const Plan &plan);

/// Reads what toJson wrote. `what` names the text in messages (its path).
/// Strict: an unknown or missing field, kind, version, a duplicate key or a
/// number out of range throws UserError. Says nothing about whether the plan
/// makes sense: that is PlanVerify.h's part.
/// UserError too if the text holds the plans of several stages.
Plan fromJson(std::string_view text, const std::string &what);

/// A family of one is the JSON of its plan.
std::string toJson(const PlanFamily &family);

/// The same strictness; a single plan is a family of one.
PlanFamily familyFromJson(std::string_view text, const std::string &what);

/// `run forward.1 3`: as an action stands in the JSON. An index that does not
/// exist is shown as `#7`.
std::string actionText(const Plan &plan, const Action &action);

} // namespace nxdt::plan

#endif // NXDT_PLAN_PLANJSON_H
