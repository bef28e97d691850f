//===- Layers.cpp - the layers of a model, and who has them ---------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Layers.h"

#include "Nxdt/IR/Sharding.h"
#include "nxdt/Schedule/NearestStages.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"

#include <limits>
#include <set>

using namespace mlir;
using namespace nxdt;

FailureOr<PipelineSettings> nxdt::readPipeline(ModuleOp module) {
  PipelineSettings settings;
  auto mesh = module->getAttrOfType<MeshAttr>(kMeshAttr);
  AxisAttr pp = mesh ? wholeAxis(mesh, "pp") : AxisAttr();
  settings.stages = pp ? pp.getSize() : 1;
  auto dict = module->getAttrOfType<DictionaryAttr>(kPipelineAttr);
  if (!dict) {
    if (settings.stages == 1)
      return settings;
    return module.emitError("a mesh with stages needs the module attribute '")
           << kPipelineAttr << "'";
  }
  auto number = [&](StringRef key, int64_t &value) {
    auto attr = dict.getAs<IntegerAttr>(key);
    if (!attr || attr.getInt() < 1)
      return failure();
    value = attr.getInt();
    return success();
  };
  if (failed(number("chunks_per_stage", settings.chunksPerStage)) ||
      failed(number("micro_batches", settings.microBatches)))
    return module.emitError("'")
           << kPipelineAttr
           << "' needs chunks_per_stage and micro_batches, at least 1";
  if (auto cuts = dict.getAs<ArrayAttr>("cuts"))
    for (auto cut : cuts.getAsRange<StringAttr>())
      settings.cuts.push_back(cut.getValue());
  auto text = [&](StringRef key) {
    auto attr = dict.getAs<StringAttr>(key);
    return attr ? attr.str() : std::string();
  };
  settings.cutsOrigin = text("cuts_origin");
  settings.origin = text("origin");
  return settings;
}

/// "model.layers.3.mlp" -> ("model.layers", 3).
static std::optional<std::pair<StringRef, int64_t>> splitPath(StringRef path) {
  size_t begin = 0;
  while (begin < path.size()) {
    size_t end = std::min(path.find('.', begin), path.size());
    int64_t number = 0;
    if (begin > 0 && !path.slice(begin, end).getAsInteger(10, number))
      return std::pair(path.take_front(begin - 1), number);
    begin = end + 1;
  }
  return std::nullopt;
}

Layers::Layers(ModuleOp module) {
  struct List {
    int64_t elements = 0;
    std::set<int64_t> numbers;
  };
  llvm::MapVector<StringRef, List> lists;
  for (auto buffer : module.getOps<BufferOp>()) {
    auto place = buffer.getRole() == "param" ? splitPath(buffer.getSymName())
                                             : std::nullopt;
    if (!place)
      continue;
    List &found = lists[place->first];
    found.elements += buffer.getTensorType().getNumElements();
    found.numbers.insert(place->second);
  }
  int64_t most = 0;
  for (auto &[name, found] : lists)
    if (found.elements > most) {
      most = found.elements;
      list = name.str();
      numbers.assign(found.numbers.begin(), found.numbers.end());
    }
}

std::string Layers::nameOf(size_t index) const {
  return list + "." + std::to_string(numbers[index]);
}

std::optional<size_t> Layers::indexOf(StringRef path) const {
  auto place = splitPath(path);
  if (!place || place->first != list)
    return std::nullopt;
  const int64_t *found = llvm::find(numbers, place->second);
  if (found == numbers.end())
    return std::nullopt;
  return found - numbers.begin();
}

/// As few as can be in the most expensive chunk: cost[c][n] = best for the
/// first n layers in c chunks.
static SmallVector<int64_t> balance(ArrayRef<double> costs, int64_t chunks) {
  int64_t layers = costs.size();
  SmallVector<double> sum = {0};
  for (double cost : costs)
    sum.push_back(sum.back() + cost);
  // Equal maxima: the chunks shall differ little in number of layers, too.
  using Key = std::pair<double, int64_t>;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::vector<std::vector<Key>> best(
      chunks + 1, std::vector<Key>(layers + 1, Key(kInfinity, 0)));
  std::vector<std::vector<int64_t>> from(chunks + 1,
                                         std::vector<int64_t>(layers + 1, -1));
  best[0][0] = {0, 0};
  for (int64_t c = 1; c <= chunks; ++c)
    for (int64_t n = c; n <= layers - (chunks - c); ++n)
      for (int64_t m = c - 1; m < n; ++m) {
        if (best[c - 1][m].first == kInfinity)
          continue;
        Key key(std::max(best[c - 1][m].first, sum[n] - sum[m]),
                best[c - 1][m].second + (n - m) * (n - m));
        if (key < best[c][n]) {
          best[c][n] = key;
          from[c][n] = m;
        }
      }
  SmallVector<int64_t> chunkOf(layers);
  for (int64_t c = chunks, n = layers; c > 0; n = from[c][n], --c)
    for (int64_t i = from[c][n]; i < n; ++i)
      chunkOf[i] = c - 1;
  return chunkOf;
}

FailureOr<SmallVector<int64_t>>
nxdt::cutLayers(ModuleOp module, const PipelineSettings &settings,
                const Layers &layers, ArrayRef<double> costs) {
  int64_t chunks = settings.chunks();
  if (chunks > static_cast<int64_t>(layers.size()))
    return module.emitError("pipeline * virtual stages = ")
           << settings.stages << " * " << settings.chunksPerStage << " = "
           << chunks << " are more than the " << layers.size()
           << " layers of the model [" << settings.origin
           << "]; nearest legal: "
           << schedule::nearestStages(settings.stages, layers.size());
  if (settings.cuts.empty())
    return balance(costs, chunks);
  if (static_cast<int64_t>(settings.cuts.size()) != chunks - 1)
    return module.emitError(settings.cutsOrigin)
           << ": names " << settings.cuts.size()
           << " cuts; pipeline * virtual - 1 = " << chunks - 1 << " are needed";
  SmallVector<int64_t> chunkOf;
  for (auto [chunk, cut] : llvm::enumerate(settings.cuts)) {
    auto last = layers.indexOf(cut);
    if (!last || layers.nameOf(*last) != cut)
      return module.emitError(settings.cutsOrigin)
             << ": '" << cut << "' is no layer of the model; they are "
             << layers.nameOf(0) << " to " << layers.nameOf(layers.size() - 1);
    if (*last < chunkOf.size() || *last + 1 >= layers.size())
      return module.emitError(settings.cutsOrigin)
             << ": '" << cut << "': cuts name ascending layers, each once, and "
             << "not the last one: every chunk holds a layer";
    chunkOf.resize(*last + 1, chunk);
  }
  chunkOf.resize(layers.size(), chunks - 1);
  return chunkOf;
}
