//===- ExitCodes.h - exit codes with a meaning between ranks and launcher -*-
// C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_COMM_EXITCODES_H
#define NXDT_RUNTIME_COMM_EXITCODES_H

namespace nxdt::comm {

/// Exit code of a rank that ends because another one failed: the launcher
/// looks for the culprit among the others. (EX_TEMPFAIL of sysexits.h.)
constexpr int kPeerFailureExitCode = 75;

} // namespace nxdt::comm

#endif // NXDT_RUNTIME_COMM_EXITCODES_H
