//===- ReportFormat.h - pieces of text that reports share -------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_ANALYSIS_REPORTFORMAT_H
#define NXDT_LIB_ANALYSIS_REPORTFORMAT_H

#include "nxdt/Analysis/Report.h"

namespace nxdt {

/// "pp 1 x dp 2 x cp 1 x tp 2 = 4 ranks".
std::string meshText(const StrategyReport &report);
/// "f32 [1,64,88]".
std::string tensorText(const LiveTensor &tensor);
/// "1.23 TFLOP".
std::string flopsText(double flops);

/// "12.3 ms".
std::string secondsText(double time_s);

} // namespace nxdt

#endif // NXDT_LIB_ANALYSIS_REPORTFORMAT_H
