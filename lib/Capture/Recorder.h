//===- Recorder.h - listens to the dispatcher -------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_CAPTURE_RECORDER_H
#define NXDT_CAPTURE_RECORDER_H

#include "ModulePaths.h"
#include "Problems.h"
#include "Record.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

#include <memory>
#include <unordered_map>

namespace torch::autograd {
struct Node;
} // namespace torch::autograd

namespace nxdt::capture {

struct CallArguments;
class MetaRun;

/// Is told about each recorded operator, with the tensors themselves.
class OpObserver {
public:
  virtual ~OpObserver() = default;
  virtual void observe(const RecordedOp &op, bool isRandom,
                       c10::ArrayRef<at::Tensor> operands,
                       c10::ArrayRef<at::Tensor> results) = 0;
};

/// Records every operator called on its thread while a Listening lives. All
/// tensors are turned into meta tensors: devices in arguments are replaced,
/// nothing is computed. Composite operators are recorded whole.
class Recorder {
public:
  Recorder(Record &record, Problems &problems, ModulePaths &paths,
           OpObserver &observer)
      : record(record), problems(problems), paths(paths), observer(observer) {}

  /// Gives a number to a tensor that exists before the first operator.
  ValueId declare(const at::Tensor &tensor);
  /// The number of a tensor, or -1.
  ValueId find(const at::Tensor &tensor) const;
  /// The youngest value with this very storage, shape and strides, or -1.
  ValueId findAlias(const at::Tensor &tensor) const;
  const at::Tensor &tensor(ValueId value) const { return alive[value]; }
  /// The memory that a value was born with; set_data and Module::to exchange
  /// that of a tensor.
  const c10::StorageImpl *bornStorage(ValueId value) const {
    return storages[value].unsafeGetStorageImpl();
  }

  /// Tensors of an earlier recorder: used here they get a message that says
  /// what they are.
  void setConstructor(const Recorder *constructor) { earlier = constructor; }

  /// Reports a custom autograd function or a hook on the way into `tensor`.
  void checkAutograd(const at::Tensor &tensor);

  /// Whether values were made up after a problem, so that later errors may
  /// only follow from that.
  bool isTainted() const { return tainted; }

  /// For the listener: an operator called from outside.
  void call(const c10::OperatorHandle &op, c10::DispatchKeySet below,
            torch::jit::Stack *stack);
  /// The operator that runs now, for operators called from inside of it.
  MetaRun *running = nullptr;

  /// While it lives, the recorder listens on this thread.
  class Listening {
  public:
    explicit Listening(Recorder &recorder);
    ~Listening();
    Listening(const Listening &) = delete;
    Listening &operator=(const Listening &) = delete;

  private:
    struct Guards;
    std::unique_ptr<Guards> guards;
  };

private:
  /// For the operator at hand: they are added when it is done.
  void report(std::string message);
  void flushReports();
  ValueId newValue(const at::Tensor &tensor);
  at::Tensor resolve(const c10::OperatorHandle &op, const at::Tensor &tensor);
  void recordAlias(ValueId source, const at::Tensor &tensor);
  at::Tensor recordScalar(const at::Tensor &wrapped);
  bool answerItem(const c10::OperatorHandle &op, torch::jit::Stack &stack,
                  size_t numArguments);
  void finish(const c10::OperatorHandle &op, RecordedOp recorded,
              const CallArguments &call, bool isRandom,
              const std::vector<at::Tensor> &results);

  Record &record;
  Problems &problems;
  ModulePaths &paths;
  OpObserver &observer;
  const Recorder *earlier = nullptr;
  /// By value: keeps every tensor alive, so that addresses stay unique.
  std::vector<at::Tensor> alive;
  std::vector<c10::Storage> storages;
  /// By value: path and number of its operator, and the autograd node that
  /// it was born with.
  std::vector<std::string> bornAt;
  std::vector<int32_t> bornIn;
  std::vector<std::shared_ptr<torch::autograd::Node>> bornWith;
  std::unordered_map<const c10::TensorImpl *, ValueId> valueOf;
  std::vector<std::string> pending;
  int64_t numItems = 0;
  bool tainted = false;
};

} // namespace nxdt::capture

#endif // NXDT_CAPTURE_RECORDER_H
