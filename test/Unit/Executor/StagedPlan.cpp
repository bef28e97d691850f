//===- StagedPlan.cpp - prints a plan of StagedModel.h -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For end-to-end tests of nxdt-run alone: a pipeline that no compiler made.
//
//===----------------------------------------------------------------------===//
#include "StagedModel.h"
#include "nxdt/Plan/PlanJson.h"
#include "nxdt/Support/UserError.h"

#include <cstdio>
#include <cstdlib>
#include <map>

using namespace nxdt;

/// Arguments name=number, as the fields of ModelShape.
int main(int argc, char **argv) {
  plan::ModelShape shape;
  int64_t isTied = 0, isOneFOneB = 0;
  const std::map<std::string, int64_t *> fields = {
      {"layers", &shape.layers},
      {"stages", &shape.stages},
      {"dp", &shape.dp},
      {"microBatches", &shape.microBatches},
      {"rows", &shape.rows},
      {"sequence", &shape.sequence},
      {"vocabulary", &shape.vocabulary},
      {"isTied", &isTied},
      {"isOneFOneB", &isOneFOneB}};
  for (int i = 1; i < argc; ++i) {
    std::string text = argv[i];
    size_t equals = text.find('=');
    auto field = fields.find(text.substr(0, equals));
    if (equals == std::string::npos || field == fields.end()) {
      std::fprintf(stderr, "error: unknown argument '%s'\n", argv[i]);
      return 1;
    }
    *field->second = std::atoll(text.c_str() + equals + 1);
  }
  shape.isTied = isTied;
  shape.isOneFOneB = isOneFOneB;
  try {
    plan::PlanFamily family = plan::stagedModel(shape);
    plan::verifyFamily(family, "plan");
    std::fputs(plan::toJson(family).c_str(), stdout);
  } catch (const UserError &e) {
    std::fprintf(stderr, "error: %s\n", e.what());
    return 1;
  }
  return 0;
}
