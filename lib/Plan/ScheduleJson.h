//===- ScheduleJson.h - channels and schedules as JSON ----------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_PLAN_SCHEDULEJSON_H
#define NXDT_LIB_PLAN_SCHEDULEJSON_H

#include "JsonReader.h"
#include "nxdt/Plan/Plan.h"

#include <string>

namespace nxdt::plan {

/// Reads `channels` and `schedules`, both or neither, into `plan`, whose
/// buffers and programs are there already: actions name them.
void readSchedules(json::Object &object, const json::Place &place, Plan &plan);

/// Appends them as members that follow others; nothing where there are none.
void appendSchedules(std::string &out, const Plan &plan);

/// A JSON string. UserError if it is not UTF-8.
void appendString(std::string &out, std::string_view text);

} // namespace nxdt::plan

#endif // NXDT_LIB_PLAN_SCHEDULEJSON_H
