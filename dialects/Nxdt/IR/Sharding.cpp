//===- Sharding.cpp - meshes, axes and shardings --------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Nxdt/IR/Sharding.h"

#include "mlir/IR/DialectImplementation.h"

using namespace mlir;
using namespace nxdt;

//===----------------------------------------------------------------------===//
// Mesh
//===----------------------------------------------------------------------===//

int64_t MeshAttr::sizeOf(StringRef axis) const {
  for (auto [name, size] : llvm::zip(getNames(), getSizes()))
    if (name == axis)
      return size;
  return 0;
}

int64_t MeshAttr::numRanks() const {
  int64_t ranks = 1;
  for (int64_t size : getSizes())
    ranks *= size;
  return ranks;
}

LogicalResult MeshAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               ArrayRef<StringAttr> names,
                               ArrayRef<int64_t> sizes) {
  if (names.size() != sizes.size())
    return emitError() << "mesh has " << names.size() << " names for "
                       << sizes.size() << " sizes";
  for (auto [i, name] : llvm::enumerate(names)) {
    if (llvm::is_contained(names.take_front(i), name))
      return emitError() << "mesh has axis '" << name.getValue() << "' twice";
    if (sizes[i] < 1)
      return emitError() << "mesh axis '" << name.getValue() << "' has size "
                         << sizes[i];
  }
  return success();
}

Attribute MeshAttr::parse(AsmParser &parser, Type) {
  SmallVector<StringAttr> names;
  SmallVector<int64_t> sizes;
  auto parseAxis = [&]() -> ParseResult {
    StringRef name;
    if (parser.parseKeyword(&name) || parser.parseEqual() ||
        parser.parseInteger(sizes.emplace_back()))
      return failure();
    names.push_back(StringAttr::get(parser.getContext(), name));
    return success();
  };
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater,
                                     parseAxis))
    return {};
  if (failed(verify([&] { return parser.emitError(loc); }, names, sizes)))
    return {};
  return get(parser.getContext(), names, sizes);
}

void MeshAttr::print(AsmPrinter &printer) const {
  printer << '<';
  llvm::interleaveComma(
      llvm::zip(getNames(), getSizes()), printer, [&](auto axis) {
        printer << std::get<0>(axis).getValue() << " = " << std::get<1>(axis);
      });
  printer << '>';
}

//===----------------------------------------------------------------------===//
// Axis
//===----------------------------------------------------------------------===//

bool AxisAttr::overlaps(AxisAttr other) const {
  return getName() == other.getName() &&
         getPre() < other.getPre() * other.getSize() &&
         other.getPre() < getPre() * getSize();
}

/// `name` or `name:(pre)size`; a name alone needs the mesh.
static AxisAttr parseAxis(AsmParser &parser, MeshAttr mesh) {
  SMLoc loc = parser.getCurrentLocation();
  StringRef name;
  if (parser.parseKeyword(&name))
    return {};
  auto nameAttr = StringAttr::get(parser.getContext(), name);
  int64_t pre = 1, size = mesh ? mesh.sizeOf(name) : 0;
  if (succeeded(parser.parseOptionalColon())) {
    if (parser.parseLParen() || parser.parseInteger(pre) ||
        parser.parseRParen() || parser.parseInteger(size))
      return {};
  } else if (size == 0) {
    parser.emitError(loc) << "mesh has no axis '" << name << "'";
    return {};
  }
  return AxisAttr::get(parser.getContext(), nameAttr, pre, size);
}

static void printAxis(AsmPrinter &printer, AxisAttr axis, MeshAttr mesh) {
  printer << axis.getName().getValue();
  if (mesh && axis.getPre() == 1 &&
      axis.getSize() == mesh.sizeOf(axis.getName()))
    return;
  printer << ":(" << axis.getPre() << ')' << axis.getSize();
}

Attribute AxisAttr::parse(AsmParser &parser, Type) {
  if (parser.parseLess())
    return {};
  AxisAttr axis = parseAxis(parser, MeshAttr());
  if (!axis || parser.parseGreater())
    return {};
  return axis;
}

void AxisAttr::print(AsmPrinter &printer) const {
  printer << '<';
  printAxis(printer, *this, MeshAttr());
  printer << '>';
}

std::string nxdt::axisText(AxisAttr axis, MeshAttr mesh) {
  std::string text = axis.getName().str();
  if (axis.getPre() == 1 && axis.getSize() == mesh.sizeOf(axis.getName()))
    return text;
  return text + ":(" + std::to_string(axis.getPre()) + ")" +
         std::to_string(axis.getSize());
}

std::string nxdt::shardingAlias(ShardingAttr sharding) {
  auto append = [&](std::string &alias, ArrayRef<AxisAttr> axes) {
    llvm::raw_string_ostream os(alias);
    llvm::interleave(
        axes,
        [&](AxisAttr axis) {
          os << axis.getName().getValue();
          if (axisText(axis, sharding.getMesh()) != axis.getName())
            os << '$' << axis.getPre() << '$' << axis.getSize();
        },
        [&] { os << '_'; });
  };
  std::string alias;
  for (unsigned dim = 0; dim < sharding.getDims().size(); ++dim) {
    if (dim > 0)
      alias += '-';
    Axes axes = sharding.axesOf(dim);
    if (axes.empty())
      alias += '_';
    append(alias, axes);
  }
  if (alias.empty())
    alias = "scalar";
  if (sharding.isPartial()) {
    alias += sharding.getReduction() == Reduction::Max ? "-partial_max-"
                                                       : "-partial-";
    append(alias, sharding.partialAxes());
  }
  return alias;
}

int64_t nxdt::partsOf(ArrayRef<AxisAttr> axes) {
  int64_t parts = 1;
  for (AxisAttr axis : axes)
    parts *= axis.getSize();
  return parts;
}

int64_t nxdt::partSize(int64_t size, ArrayRef<AxisAttr> axes) {
  for (AxisAttr axis : axes)
    size = llvm::divideCeil(size, axis.getSize());
  return size;
}

void nxdt::appendAxis(Axes &axes, AxisAttr axis) {
  if (axis.getSize() == 1)
    return;
  if (!axes.empty() && axes.back().getName() == axis.getName() &&
      axes.back().getPre() * axes.back().getSize() == axis.getPre()) {
    AxisAttr last = axes.back();
    axes.back() = AxisAttr::get(axis.getContext(), last.getName(),
                                last.getPre(), last.getSize() * axis.getSize());
    return;
  }
  axes.push_back(axis);
}

CommonSplit nxdt::commonSplit(ArrayRef<AxisAttr> a, ArrayRef<AxisAttr> b) {
  CommonSplit result;
  SmallVector<AxisAttr> restA(a), restB(b);
  while (!restA.empty() && !restB.empty()) {
    AxisAttr x = restA.front(), y = restB.front();
    int64_t size = std::min(x.getSize(), y.getSize());
    if (x.getName() != y.getName() || x.getPre() != y.getPre() ||
        std::max(x.getSize(), y.getSize()) % size != 0)
      break;
    auto take = [&](SmallVector<AxisAttr> &rest, AxisAttr axis) {
      if (axis.getSize() == size)
        rest.erase(rest.begin());
      else
        rest.front() =
            AxisAttr::get(axis.getContext(), axis.getName(),
                          axis.getPre() * size, axis.getSize() / size);
    };
    appendAxis(result.common,
               AxisAttr::get(x.getContext(), x.getName(), x.getPre(), size));
    take(restA, x);
    take(restB, y);
  }
  result.restA.assign(restA.begin(), restA.end());
  result.restB.assign(restB.begin(), restB.end());
  return result;
}

AxisAttr nxdt::wholeAxis(MeshAttr mesh, StringRef name) {
  int64_t size = mesh.sizeOf(name);
  if (size == 0)
    return {};
  MLIRContext *context = mesh.getContext();
  return AxisAttr::get(context, StringAttr::get(context, name), 1, size);
}

//===----------------------------------------------------------------------===//
// Sharding
//===----------------------------------------------------------------------===//

static SmallVector<AxisAttr> toAxes(ArrayAttr list) {
  return llvm::map_to_vector(
      list, [](Attribute axis) { return cast<AxisAttr>(axis); });
}

SmallVector<AxisAttr> ShardingAttr::axesOf(unsigned dim) const {
  return toAxes(getDims()[dim]);
}

SmallVector<AxisAttr> ShardingAttr::partialAxes() const {
  return toAxes(getPartial());
}

int64_t ShardingAttr::partsOf(unsigned dim) const {
  return nxdt::partsOf(axesOf(dim));
}

bool ShardingAttr::isPadded(unsigned dim, int64_t size) const {
  SmallVector<AxisAttr> axes = axesOf(dim);
  return partSize(size, axes) * nxdt::partsOf(axes) != size;
}

bool ShardingAttr::isReplicated() const {
  return !isPartial() &&
         llvm::all_of(getDims(), [](ArrayAttr axes) { return axes.empty(); });
}

/// An axis exists in the mesh and its part lies within it.
static LogicalResult verifyAxis(function_ref<InFlightDiagnostic()> emitError,
                                MeshAttr mesh, AxisAttr axis) {
  int64_t size = mesh.sizeOf(axis.getName());
  if (size == 0)
    return emitError() << "mesh has no axis '" << axis.getName().getValue()
                       << "'";
  if (axis.getPre() < 1 || axis.getSize() < 1 ||
      size % (axis.getPre() * axis.getSize()) != 0)
    return emitError() << "part (" << axis.getPre() << ")" << axis.getSize()
                       << " does not divide axis '" << axis.getName().getValue()
                       << "' of size " << size;
  return success();
}

LogicalResult ShardingAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   MeshAttr mesh, ArrayRef<ArrayAttr> dims,
                                   ArrayAttr partial, Reduction) {
  SmallVector<AxisAttr> seen;
  auto check = [&](Attribute attr, bool splits) -> LogicalResult {
    auto axis = dyn_cast<AxisAttr>(attr);
    if (!axis)
      return emitError() << "expected an axis, got " << attr;
    if (failed(verifyAxis(emitError, mesh, axis)))
      return failure();
    if (splits && axis.getName() == "pp")
      return emitError() << "axis 'pp' separates stages and splits no tensor";
    for (AxisAttr other : seen)
      if (axis.overlaps(other))
        return emitError() << "axis '" << axis.getName().getValue()
                           << "' is used twice";
    seen.push_back(axis);
    return success();
  };
  for (ArrayAttr axes : dims)
    for (Attribute axis : axes)
      if (failed(check(axis, true)))
        return failure();
  for (Attribute axis : partial)
    if (failed(check(axis, false)))
      return failure();
  return success();
}

LogicalResult ShardingAttr::verifyEncoding(
    ArrayRef<int64_t> shape, Type elementType,
    function_ref<InFlightDiagnostic()> emitError) const {
  if (shape.size() != getDims().size())
    return emitError() << "sharding has " << getDims().size()
                       << " dimensions, the tensor " << shape.size();
  if (isPartial() && elementType.isInteger(1))
    return emitError() << "a tensor of bools cannot be a partial sum";
  return verify(emitError, getMesh(), getDims(), getPartial(), getReduction());
}

Attribute ShardingAttr::parse(AsmParser &parser, Type) {
  MLIRContext *context = parser.getContext();
  SMLoc loc = parser.getCurrentLocation();
  MeshAttr mesh;
  if (parser.parseLess() || parser.parseAttribute(mesh) || parser.parseComma())
    return {};
  auto parseAxes = [&](ArrayAttr &axes) -> ParseResult {
    SmallVector<Attribute> list;
    if (parser.parseCommaSeparatedList(
            AsmParser::Delimiter::Square, [&]() -> ParseResult {
              AxisAttr axis = parseAxis(parser, mesh);
              if (!axis)
                return failure();
              list.push_back(axis);
              return success();
            }))
      return failure();
    axes = ArrayAttr::get(context, list);
    return success();
  };
  SmallVector<ArrayAttr> dims;
  ArrayAttr partial = ArrayAttr::get(context, {});
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
        return parseAxes(dims.emplace_back());
      }))
    return {};
  Reduction reduction = Reduction::Sum;
  if (succeeded(parser.parseOptionalComma())) {
    if (parser.parseKeyword("partial"))
      return {};
    if (succeeded(parser.parseOptionalKeyword("max")))
      reduction = Reduction::Max;
    if (parseAxes(partial))
      return {};
  }
  if (parser.parseGreater())
    return {};
  if (failed(verify([&] { return parser.emitError(loc); }, mesh, dims, partial,
                    reduction)))
    return {};
  return get(context, mesh, dims, partial, reduction);
}

void ShardingAttr::print(AsmPrinter &printer) const {
  auto printAxes = [&](ArrayAttr axes) {
    printer << '[';
    llvm::interleaveComma(axes, printer, [&](Attribute axis) {
      printAxis(printer, cast<AxisAttr>(axis), getMesh());
    });
    printer << ']';
  };
  printer << '<' << getMesh() << ", [";
  llvm::interleaveComma(getDims(), printer, printAxes);
  printer << ']';
  if (isPartial()) {
    printer << ", partial ";
    if (getReduction() == Reduction::Max)
      printer << "max ";
    printAxes(getPartial());
  }
  printer << '>';
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

static ArrayAttr toAttr(MLIRContext *context, ArrayRef<AxisAttr> axes) {
  return ArrayAttr::get(context,
                        SmallVector<Attribute>(axes.begin(), axes.end()));
}

static SmallVector<ArrayAttr> toAttrs(MLIRContext *context,
                                      ArrayRef<Axes> dims) {
  return llvm::map_to_vector(
      dims, [&](const Axes &axes) { return toAttr(context, axes); });
}

ShardingAttr nxdt::makeSharding(MeshAttr mesh, ArrayRef<Axes> dims,
                                ArrayRef<AxisAttr> partial,
                                Reduction reduction) {
  MLIRContext *context = mesh.getContext();
  return ShardingAttr::get(context, mesh, toAttrs(context, dims),
                           toAttr(context, partial), reduction);
}

FailureOr<ShardingAttr>
nxdt::checkedSharding(MeshAttr mesh, ArrayRef<Axes> dims,
                      function_ref<InFlightDiagnostic()> emitError) {
  MLIRContext *context = mesh.getContext();
  if (failed(ShardingAttr::verify(emitError, mesh, toAttrs(context, dims),
                                  toAttr(context, {}), Reduction::Sum)))
    return failure();
  return makeSharding(mesh, dims);
}

ShardingAttr nxdt::replicated(MeshAttr mesh, unsigned rank) {
  return makeSharding(mesh, SmallVector<Axes>(rank));
}

ShardingAttr nxdt::shardingOf(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? dyn_cast_if_present<ShardingAttr>(tensor.getEncoding())
                : ShardingAttr();
}

FailureOr<RankedTensorType>
nxdt::shardedType(RankedTensorType global, ShardingAttr sharding,
                  function_ref<InFlightDiagnostic()> emitError) {
  if (failed(sharding.verifyEncoding(global.getShape(), global.getElementType(),
                                     emitError)))
    return failure();
  return RankedTensorType::get(global.getShape(), global.getElementType(),
                               sharding);
}

SmallVector<int64_t> nxdt::localShape(RankedTensorType sharded) {
  SmallVector<int64_t> shape(sharded.getShape());
  if (ShardingAttr sharding = shardingOf(sharded))
    for (unsigned dim = 0; dim < shape.size(); ++dim)
      shape[dim] = partSize(shape[dim], sharding.axesOf(dim));
  return shape;
}

RankedTensorType nxdt::localType(RankedTensorType sharded) {
  return RankedTensorType::get(localShape(sharded), sharded.getElementType());
}

RankedTensorType nxdt::globalType(RankedTensorType type) {
  return RankedTensorType::get(type.getShape(), type.getElementType());
}

LogicalResult nxdt::verifyShardedTypes(Operation *op) {
  auto check = [&](Type type) -> LogicalResult {
    auto tensor = dyn_cast<RankedTensorType>(type);
    ShardingAttr sharding = shardingOf(type);
    if (!sharding)
      return success();
    return sharding.verifyEncoding(tensor.getShape(), tensor.getElementType(),
                                   [&] { return op->emitOpError(); });
  };
  for (Type type : op->getOperandTypes())
    if (failed(check(type)))
      return failure();
  for (Type type : op->getResultTypes())
    if (failed(check(type)))
      return failure();
  return success();
}
