//===- OncePerStep.cpp - each stage's part of what runs once --------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "../Step/ProgramBuilder.h"
#include "Nxdt/IR/Sharding.h"
#include "StagePrograms.h"

using namespace mlir;
using namespace nxdt;

//===----------------------------------------------------------------------===//
// Who holds what
//===----------------------------------------------------------------------===//

void Holders::add(const StageGraph::Users &users,
                  const PipelineSettings &settings) {
  for (const auto &[param, chunks] : users) {
    SmallVector<Use> &list = uses[param];
    for (int64_t chunk : chunks)
      list.push_back({chunk, settings.stageOf(chunk)});
    llvm::stable_sort(list, [](Use a, Use b) { return a.chunk < b.chunk; });
    SmallVector<int64_t> &found = stages[param];
    found.clear();
    for (Use use : list)
      if (!llvm::is_contained(found, use.stage))
        found.push_back(use.stage);
  }
}

ArrayRef<int64_t> Holders::of(StringAttr param) const {
  auto it = stages.find(param.getValue());
  return it == stages.end() ? ArrayRef<int64_t>() : it->second;
}

bool Holders::owns(int64_t stage, StringRef param) const {
  auto it = stages.find(param);
  // What no micro-batch uses is the first stage's.
  return it == stages.end() ? stage == 0 : it->second.front() == stage;
}

bool Holders::holds(int64_t stage, StringRef param) const {
  auto it = stages.find(param);
  return it == stages.end() ? stage == 0
                            : llvm::is_contained(it->second, stage);
}

SmallVector<Holders::Shared> Holders::shared() const {
  SmallVector<Shared> list;
  for (const auto &[param, unused] : uses) {
    ArrayRef<int64_t> found = of(param);
    if (found.size() > 1)
      list.push_back(
          {param, found.front(), SmallVector<int64_t>(found.drop_front())});
  }
  return list;
}

//===----------------------------------------------------------------------===//
// One copy per stage
//===----------------------------------------------------------------------===//

static StringRef ownerOf(BufferOp buffer) {
  if (buffer.getRole() == "param")
    return buffer.getSymName();
  return buffer.getParam() ? *buffer.getParam() : StringRef();
}

/// Whether a value comes from a buffer of a parameter that another stage owns.
static bool isForeign(Value value, func::FuncOp func, SymbolTable &symbols,
                      const Holders &holders, int64_t stage) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    BufferOp buffer = bufferOf(func, argument.getArgNumber(), symbols);
    StringRef owner = buffer ? ownerOf(buffer) : StringRef();
    return !owner.empty() && !holders.owns(stage, owner);
  }
  return llvm::any_of(value.getDefiningOp()->getOperands(), [&](Value v) {
    return isForeign(v, func, symbols, holders, stage);
  });
}

/// Sums over tensors are those over the stage's own.
static void keepOwnTerms(SquareSumOp op, func::FuncOp func,
                         SymbolTable &symbols, const Holders &holders,
                         int64_t stage) {
  SmallVector<Value> own;
  for (Value tensor : op.getTensors())
    if (!isForeign(tensor, func, symbols, holders, stage))
      own.push_back(tensor);
  if (!own.empty()) {
    op.getTensorsMutable().assign(own);
    return;
  }
  OpBuilder builder(op);
  Value zero =
      AtenBuilder(builder, op.getLoc()).zeros(globalType(typeOf(op.getSum())));
  zero.setType(op.getSum().getType());
  op.replaceAllUsesWith(zero);
  op.erase();
}

/// Whether a stage stores what a program writes to a buffer.
static bool stores(BufferOp buffer, StringRef program, const Holders &holders,
                   int64_t stage) {
  StringRef owner = ownerOf(buffer);
  if (owner.empty())
    return true;
  bool isCopied = buffer.getRole() == "grad" ||
                  (buffer.getRole() == "param" && program != "update_step");
  return isCopied ? holders.holds(stage, owner) : holders.owns(stage, owner);
}

static void splitFor(func::FuncOp func, SymbolTable &symbols,
                     const Holders &holders, int64_t stage) {
  auto copy = func.clone();
  copy.setName((func.getName() + ".s" + std::to_string(stage)).str());
  func->getBlock()->getOperations().insert(func->getIterator(), copy);
  setStage(copy, stage, func.getName());
  for (auto sum :
       llvm::make_early_inc_range(copy.front().getOps<SquareSumOp>()))
    keepOwnTerms(sum, copy, symbols, holders, stage);
  llvm::BitVector dropped(copy.getNumResults());
  for (unsigned i = 0; i < copy.getNumResults(); ++i) {
    auto name = copy.getResultAttrOfType<FlatSymbolRefAttr>(i, kBufferAttr);
    auto buffer = symbols.lookup<BufferOp>(name.getValue());
    dropped[i] = !stores(buffer, func.getName(), holders, stage);
  }
  copy.front().getTerminator()->eraseOperands(dropped);
  (void)copy.eraseResults(dropped);
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(copy.front())))
    if (isOpTriviallyDead(&op))
      op.erase();
  llvm::BitVector unused(copy.getNumArguments());
  for (BlockArgument argument : copy.getArguments())
    unused[argument.getArgNumber()] = argument.use_empty();
  (void)copy.eraseArguments(unused);
}

void nxdt::splitOncePerStep(func::FuncOp func, SymbolTable &symbols,
                            const PipelineSettings &settings,
                            const Holders &holders) {
  for (int64_t stage = 0; stage < settings.stages; ++stage)
    splitFor(func, symbols, holders, stage);
  symbols.erase(func);
}

//===----------------------------------------------------------------------===//
// Shared parameters
//===----------------------------------------------------------------------===//

namespace {
/// Moves a buffer of shared parameters between their stages: programs
/// `export_<what>` on the one side, `import_<what>` on the other.
class Link {
public:
  Link(ModuleOp module, SymbolTable &symbols, const PipelineSettings &settings,
       StringRef what)
      : module(module), symbols(symbols), settings(settings), what(what) {}

  void add(BufferOp buffer, int64_t from, int64_t to);
  void build();

private:
  struct Move {
    BufferOp buffer;
    std::string carry;
  };
  std::string declare(BufferOp buffer, int64_t at, int64_t from, int64_t to);
  std::string nameOf(StringRef kind, int64_t stage) const {
    return (kind + "_" + what).str() + ".s" + std::to_string(stage);
  }
  func::FuncOp finish(StringRef kind, int64_t stage);

  ModuleOp module;
  SymbolTable &symbols;
  const PipelineSettings &settings;
  StringRef what;
  std::map<int64_t, SmallVector<Move>> exports, imports;
};
} // namespace

std::string Link::declare(BufferOp buffer, int64_t at, int64_t from,
                          int64_t to) {
  std::string name = (buffer.getSymName() + "." + std::to_string(from) + "-" +
                      std::to_string(to) + (at == from ? ".out" : ".in"))
                         .str();
  OpBuilder builder(module.getContext());
  builder.setInsertionPointAfter(buffer);
  symbols.insert(BufferOp::create(builder, buffer.getLoc(), name, "carry",
                                  buffer.getTensorType()));
  return name;
}

void Link::add(BufferOp buffer, int64_t from, int64_t to) {
  std::string out = declare(buffer, from, from, to);
  std::string in = declare(buffer, to, from, to);
  OpBuilder builder(module.getContext());
  builder.setInsertionPointAfter(symbols.lookup(out));
  symbols.insert(ChannelOp::create(
      builder, buffer.getLoc(),
      (buffer.getSymName() + "." + std::to_string(from) + "-" +
       std::to_string(to))
          .str(),
      from, out, to, in, nameOf("export", from), nameOf("import", to),
      (what + " of " + ownerOf(buffer) + ", which both stages use [" +
       settings.origin + "]")
          .str(),
      /*once=*/true));
  exports[from].push_back({buffer, out});
  imports[to].push_back({buffer, in});
}

func::FuncOp Link::finish(StringRef kind, int64_t stage) {
  std::string name = nameOf(kind, stage);
  auto func = module.lookupSymbol<func::FuncOp>(name);
  setStage(func, stage, name);
  return func;
}

void Link::build() {
  for (auto &[stage, moves] : exports) {
    {
      ProgramBuilder program(module, nameOf("export", stage));
      for (Move &move : moves) {
        // The buffer itself changes before the message has gone.
        Value copy = program.aten().call(
            "aten::clone", {program.read(move.buffer.getSymName()), kNone});
        copy.setType(move.buffer.getTensorType());
        program.write(move.carry, copy);
      }
    }
    finish("export", stage);
  }
  for (auto &[stage, moves] : imports) {
    {
      ProgramBuilder program(module, nameOf("import", stage));
      for (Move &move : moves) {
        StringRef name = move.buffer.getSymName();
        Value arrived = program.read(move.carry);
        if (move.buffer.getRole() == "grad")
          program.accumulate(name, arrived);
        else
          program.write(name, arrived);
      }
    }
    func::FuncOp func = finish("import", stage);
    for (unsigned i = 0; i < func.getNumArguments(); ++i)
      if (bufferOf(func, i, symbols).getRole() == "carry")
        func.setArgAttr(i, kDiesAttr, UnitAttr::get(func.getContext()));
  }
}

void nxdt::linkShared(ModuleOp module, SymbolTable &symbols,
                      const PipelineSettings &settings,
                      const Holders &holders) {
  Link grads(module, symbols, settings, "shared_grads");
  Link params(module, symbols, settings, "shared_params");
  for (const Holders::Shared &shared : holders.shared()) {
    auto param = symbols.lookup<BufferOp>(shared.param);
    BufferOp grad;
    for (auto buffer : module.getOps<BufferOp>())
      if (buffer.getRole() == "grad" &&
          *buffer.getParam() == shared.param.getValue())
        grad = buffer;
    for (int64_t copy : shared.copies) {
      if (grad)
        grads.add(grad, copy, shared.owner);
      params.add(param, shared.owner, copy);
    }
  }
  grads.build();
  params.build();
}
