//===- Reshard.h - nxdt-ckpt reshard -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TOOLS_NXDT_CKPT_RESHARD_H
#define NXDT_TOOLS_NXDT_CKPT_RESHARD_H

#include <string>

namespace nxdt::ckpt {

/// Writes the checkpoint `tag` for the ranks of `config`, or of the plan folder
/// `config`, as `out`: a tag folder (*.ckpt), or a folder for one of the same
/// name. Returns the exit code; UserError if they do not fit or `out` exists.
int reshard(const std::string &tag, const std::string &config,
            const std::string &out);

} // namespace nxdt::ckpt

#endif // NXDT_TOOLS_NXDT_CKPT_RESHARD_H
