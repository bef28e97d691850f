//===- VerifySchedule.cpp - nxdt-opt --verify-schedule=FILE ---------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "VerifySchedule.h"

#include "nxdt/Schedule/ScheduleText.h"
#include "nxdt/Schedule/Verify.h"

#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

using namespace nxdt;

int nxdt::verifyScheduleFile(llvm::StringRef path) {
  auto file = llvm::MemoryBuffer::getFileOrSTDIN(path);
  if (!file) {
    llvm::errs() << "error: cannot read " << path << ": "
                 << file.getError().message() << '\n';
    return 1;
  }
  auto parsed = schedule::parseSchedule((*file)->getBuffer().str());
  if (!parsed.value) {
    llvm::errs() << "error: " << path << ": " << parsed.error << '\n';
    return 1;
  }
  if (auto violation = schedule::verify(*parsed.value)) {
    llvm::errs() << "error: " << path << ": schedule '" << parsed.value->name
                 << "': " << violation->message << '\n';
    for (const std::string &line : violation->lines)
      llvm::errs() << "  " << line << '\n';
    return 1;
  }
  llvm::outs() << path << ": schedule '" << parsed.value->name << "' of "
               << parsed.value->stages << " stages and "
               << parsed.value->microBatches << " micro-batches is proved\n";
  return 0;
}
