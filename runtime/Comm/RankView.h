//===- RankView.h - what one rank's program sees -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_COMM_RANKVIEW_H
#define NXDT_RUNTIME_COMM_RANKVIEW_H

#include "nxdt/Plan/Mesh.h"
#include "runtime/Comm/Channel.h"
#include "runtime/Comm/Group.h"
#include "runtime/Comm/Status.h"

#include <cstdint>
#include <string>

namespace nxdt::comm {

using plan::AxisRef;
using plan::checkGroupSpec;
using plan::groupName;
using plan::groupRanks;
using plan::GroupSpec;
using plan::Mesh;
using plan::MeshAxis;
using plan::parseGroupSpec;

/// What one rank's program sees, in one process or many.
class RankView {
public:
  virtual ~RankView() = default;
  virtual int64_t rank() const = 0;
  virtual int64_t size() const = 0;
  virtual const Mesh &mesh() const = 0;
  virtual RankStatus &status() = 0;
  /// A group given at the creation. Throws UserError for any other.
  virtual Group &group(const std::string &spec) = 0;
  /// A channel given at the creation that this rank is an end of: its group,
  /// see Channel.h. Throws UserError for any other.
  virtual Group &channel(const std::string &name) = 0;
};

} // namespace nxdt::comm

#endif // NXDT_RUNTIME_COMM_RANKVIEW_H
