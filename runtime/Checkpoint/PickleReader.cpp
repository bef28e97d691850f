//===- PickleReader.cpp - pickle to plain containers, running nothing -----===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/Pickle.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <unordered_map>

namespace nxdt::runtime {

namespace {

using plan::DType;

/// Deeper nesting is no checkpoint of anybody, and would exhaust the stack.
constexpr int kMaxDepth = 100;
constexpr size_t kMaxDims = 32;
constexpr size_t kMaxRecalledBytes = size_t{64} << 20;

/// A name that a pickle wants imported. Nothing is.
struct Global {
  std::string name;
};
struct StorageRef {
  DType dtype;
  StorageBytes bytes;
};
struct Mark {};
struct Item;
using Tuple = std::vector<Item>;

/// What lies on the interpreter's stack.
struct Item {
  std::variant<PtValue, Global, StorageRef, Mark, Tuple> value;
  int depth = 0; ///< of nested containers
  template <typename T> T *get() { return std::get_if<T>(&value); }
};

std::optional<DType> storageType(const std::string &global) {
  static const std::unordered_map<std::string, DType> types = {
      {"torch.DoubleStorage", DType::F64},
      {"torch.FloatStorage", DType::F32},
      {"torch.BFloat16Storage", DType::BF16},
      {"torch.HalfStorage", DType::F16},
      {"torch.LongStorage", DType::I64},
      {"torch.IntStorage", DType::I32},
      {"torch.ByteStorage", DType::U8},
      {"torch.BoolStorage", DType::Bool}};
  auto it = types.find(global);
  if (it == types.end())
    return std::nullopt;
  return it->second;
}

class Interpreter {
public:
  Interpreter(std::string_view bytes, const StorageLoader &loader,
              const std::string &path)
      : bytes(bytes), loader(loader), path(path) {}

  PtValue run();

private:
  [[noreturn]] void fail(const std::string &what) const {
    throw UserError(path + ": the pickle is broken at byte " +
                    std::to_string(at) + ": " + what);
  }
  [[noreturn]] void refuse(const std::string &what) const {
    throw UserError(path + ": " + what);
  }

  // Input.
  std::string_view take(uint64_t count) {
    if (count > bytes.size() - at)
      fail("it ends too early");
    std::string_view part = bytes.substr(at, count);
    at += count;
    return part;
  }
  template <typename T> T little() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::string line() {
    size_t end = bytes.find('\n', at);
    if (end == std::string_view::npos)
      fail("it ends too early");
    std::string text(bytes.substr(at, end - at));
    at = end + 1;
    return text;
  }

  // Stack.
  Item pop() {
    if (stack.empty())
      fail("its stack is empty");
    Item item = std::move(stack.back());
    stack.pop_back();
    return item;
  }
  PtValue popValue(int *depth = nullptr) {
    Item item = pop();
    if (depth)
      *depth = item.depth;
    return toValue(std::move(item));
  }
  void push(PtValue value, int depth = 0) {
    stack.push_back({std::move(value), depth});
  }
  std::vector<Item> popToMark();
  void pushTuple(std::vector<Item> items);
  PtValue toValue(Item item);
  Item &container();
  void grow(Item &parent, int childDepth);

  // Opcodes.
  bool number(unsigned char op);
  bool containers(unsigned char op);
  bool objects(unsigned char op);
  void memoize(uint32_t index);
  void recall(uint32_t index);
  void append(std::vector<Item> items);
  void setItems(std::vector<Item> items);
  void reduce();
  void persistentId();
  HostTensor tensor(Tuple &args);
  std::vector<int64_t> ints(Item &item, const char *what);

  std::string_view bytes;
  size_t at = 0;
  const StorageLoader &loader;
  const std::string &path;
  std::vector<Item> stack;
  std::unordered_map<uint32_t, Item> memo;
  size_t recalledBytes = 0;
};

std::vector<Item> Interpreter::popToMark() {
  size_t mark = stack.size();
  while (mark > 0 && !stack[mark - 1].get<Mark>())
    --mark;
  if (mark == 0)
    fail("a mark is missing");
  std::vector<Item> items(
      std::make_move_iterator(stack.begin() + static_cast<ptrdiff_t>(mark)),
      std::make_move_iterator(stack.end()));
  stack.resize(mark - 1);
  return items;
}

void Interpreter::grow(Item &parent, int childDepth) {
  parent.depth = std::max(parent.depth, childDepth + 1);
  if (parent.depth > kMaxDepth)
    fail("containers are nested deeper than " + std::to_string(kMaxDepth));
}

void Interpreter::pushTuple(std::vector<Item> items) {
  Item tuple{Tuple(), 1};
  for (const Item &item : items)
    grow(tuple, item.depth);
  tuple.value = std::move(items);
  stack.push_back(std::move(tuple));
}

/// A finished item as a value; tuples become lists.
PtValue Interpreter::toValue(Item item) {
  if (auto *value = item.get<PtValue>())
    return std::move(*value);
  if (auto *tuple = item.get<Tuple>()) {
    PtList list;
    for (Item &part : *tuple)
      list.push_back(toValue(std::move(part)));
    return list;
  }
  if (auto *global = item.get<Global>())
    refuse("holds '" + global->name +
           "', but only plain containers, numbers, strings and tensors can be "
           "read");
  fail("a value was expected");
}

/// The list or dict on top of the stack.
Item &Interpreter::container() {
  if (stack.empty() || !stack.back().get<PtValue>())
    fail("a container is missing");
  return stack.back();
}

void Interpreter::append(std::vector<Item> items) {
  Item &parent = container();
  auto *list = std::get_if<PtList>(&parent.get<PtValue>()->value);
  if (!list)
    fail("items are appended to what is no list");
  for (Item &item : items) {
    grow(parent, item.depth);
    list->push_back(toValue(std::move(item)));
  }
}

void Interpreter::setItems(std::vector<Item> items) {
  Item &parent = container();
  auto *dict = std::get_if<PtDict>(&parent.get<PtValue>()->value);
  if (!dict || items.size() % 2 != 0)
    fail("items are set in what is no dict");
  for (size_t i = 0; i < items.size(); i += 2) {
    grow(parent, items[i + 1].depth);
    PtValue key = toValue(std::move(items[i]));
    if (!key.get<std::string>() && !key.get<int64_t>())
      refuse("holds a dict with a key that is neither a string nor an integer");
    dict->emplace_back(std::move(key), toValue(std::move(items[i + 1])));
  }
}

void Interpreter::memoize(uint32_t index) {
  if (stack.empty())
    fail("its stack is empty");
  const Item &top = stack.back();
  const auto *value = std::get_if<PtValue>(&top.value);
  bool isContainer = std::holds_alternative<Tuple>(top.value) ||
                     (value && (value->get<PtList>() || value->get<PtDict>()));
  // Containers are memoized by every pickler, and recalled only where an object
  // is shared or contains itself. A Mark says "here was one".
  memo[index] = isContainer ? Item{Mark{}} : top;
}

void Interpreter::recall(uint32_t index) {
  auto it = memo.find(index);
  if (it == memo.end())
    fail("it recalls entry " + std::to_string(index) + ", which it never made");
  if (it->second.get<Mark>())
    refuse("holds a container twice, or one that contains itself; such files "
           "cannot be read");
  // Two bytes recall a text of any length; a file must not grow without bound.
  if (const auto *value = it->second.get<PtValue>())
    if (const auto *text = value->get<std::string>())
      recalledBytes += text->size();
  if (recalledBytes > kMaxRecalledBytes)
    refuse("repeats more than 64 MiB of text");
  stack.push_back(it->second);
}

std::vector<int64_t> Interpreter::ints(Item &item, const char *what) {
  std::vector<int64_t> values;
  auto *tuple = item.get<Tuple>();
  if (!tuple || tuple->size() > kMaxDims)
    fail(std::string("a tensor's ") + what + " is no short tuple");
  for (Item &part : *tuple) {
    auto *value = part.get<PtValue>();
    const int64_t *number = value ? value->get<int64_t>() : nullptr;
    if (!number || *number < 0)
      fail(std::string("a tensor's ") + what + " is not made of counts");
    values.push_back(*number);
  }
  return values;
}

/// From the arguments of _rebuild_tensor_v2.
HostTensor Interpreter::tensor(Tuple &args) {
  if (args.size() < 4 || !args[0].get<StorageRef>())
    fail("a tensor without its storage");
  StorageRef &storage = *args[0].get<StorageRef>();
  auto *offsetValue = args[1].get<PtValue>();
  const int64_t *offset = offsetValue ? offsetValue->get<int64_t>() : nullptr;
  if (!offset || *offset < 0)
    fail("a tensor's offset is no count");
  std::vector<int64_t> shape = ints(args[2], "shape");
  std::vector<int64_t> strides = ints(args[3], "stride");
  if (shape.size() != strides.size())
    fail("a tensor's shape and stride have different lengths");

  return tensorOverStorage(storage.dtype, storage.bytes, *offset,
                           std::move(shape), strides, path);
}

/// Calls of the known constructors.
void Interpreter::reduce() {
  Item args = pop();
  Item callee = pop();
  auto *tuple = args.get<Tuple>();
  auto *global = callee.get<Global>();
  if (!tuple || !global)
    fail("a call without a callee and its arguments");
  if (global->name == "torch._utils._rebuild_tensor_v2") {
    stack.push_back({PtValue(tensor(*tuple))});
    return;
  }
  if (global->name == "collections.OrderedDict" && tuple->empty()) {
    push(PtDict(), 1);
    return;
  }
  if (global->name == "torch.Size" && tuple->size() == 1) {
    stack.push_back(std::move((*tuple)[0]));
    return;
  }
  refuse("wants to call '" + global->name +
         "', but only plain containers, numbers, strings and tensors can be "
         "read");
}

/// ('storage', type, key, location, elements).
void Interpreter::persistentId() {
  Item item = pop();
  auto *tuple = item.get<Tuple>();
  if (!tuple || tuple->size() != 5)
    fail("a storage is not described by five values");
  auto text = [&](size_t i) -> const std::string * {
    auto *value = (*tuple)[i].get<PtValue>();
    return value ? value->get<std::string>() : nullptr;
  };
  auto *global = (*tuple)[1].get<Global>();
  auto *countValue = (*tuple)[4].get<PtValue>();
  const int64_t *count = countValue ? countValue->get<int64_t>() : nullptr;
  if (!text(0) || *text(0) != "storage" || !global || !text(2) || !count)
    fail("a storage is described wrongly");
  std::optional<DType> dtype = storageType(global->name);
  if (!dtype)
    refuse("holds a tensor of type '" + global->name +
           "', which cannot be read (Double, Float, BFloat16, Half, Long, Int, "
           "Byte and BoolStorage can)");
  StorageBytes storage = loader(*text(2));
  if (*count < 0 || static_cast<uint64_t>(*count) > storage.size ||
      static_cast<size_t>(*count * plan::byteSize(*dtype)) > storage.size)
    refuse("storage '" + *text(2) + "' should hold " + std::to_string(*count) +
           " elements, but has " + std::to_string(storage.size) + " bytes");
  stack.push_back({StorageRef{*dtype, std::move(storage)}});
}

bool Interpreter::number(unsigned char op) {
  switch (op) {
  case 'N':
    push(PtValue());
    return true;
  case 0x88:
    push(true);
    return true;
  case 0x89:
    push(false);
    return true;
  case 'J':
    push(static_cast<int64_t>(little<int32_t>()));
    return true;
  case 'K':
    push(static_cast<int64_t>(little<uint8_t>()));
    return true;
  case 'M':
    push(static_cast<int64_t>(little<uint16_t>()));
    return true;
  case 0x8a: { // LONG1: two's complement
    std::string_view digits = take(little<uint8_t>());
    if (digits.size() > 8)
      refuse("holds an integer beyond 64 bits");
    uint64_t value = 0;
    bool negative =
        !digits.empty() && (static_cast<unsigned char>(digits.back()) & 0x80);
    for (size_t i = 0; i < 8; ++i) {
      uint64_t byte = i < digits.size() ? static_cast<unsigned char>(digits[i])
                      : negative        ? 0xff
                                        : 0;
      value |= byte << (8 * i);
    }
    push(static_cast<int64_t>(value));
    return true;
  }
  case 'G': {
    std::string_view digits = take(8);
    uint64_t value = 0;
    for (char digit : digits)
      value = value << 8 | static_cast<unsigned char>(digit);
    push(std::bit_cast<double>(value));
    return true;
  }
  case 'X':
    push(std::string(take(little<uint32_t>())));
    return true;
  default:
    return false;
  }
}

bool Interpreter::containers(unsigned char op) {
  switch (op) {
  case '}':
    push(PtDict(), 1);
    return true;
  case ']':
    push(PtList(), 1);
    return true;
  case ')':
    pushTuple({});
    return true;
  case '(':
    stack.push_back({Mark{}});
    return true;
  case 't':
    pushTuple(popToMark());
    return true;
  case 0x85:
  case 0x86:
  case 0x87: { // TUPLE1 to TUPLE3
    std::vector<Item> items;
    for (int i = op - 0x84; i > 0; --i)
      items.insert(items.begin(), pop());
    pushTuple(std::move(items));
    return true;
  }
  case 'a': {
    std::vector<Item> items;
    items.push_back(pop());
    append(std::move(items));
    return true;
  }
  case 'e':
    append(popToMark());
    return true;
  case 's': {
    std::vector<Item> items;
    items.push_back(pop());
    items.insert(items.begin(), pop());
    setItems(std::move(items));
    return true;
  }
  case 'u':
    setItems(popToMark());
    return true;
  default:
    return false;
  }
}

bool Interpreter::objects(unsigned char op) {
  switch (op) {
  case 'q':
    memoize(little<uint8_t>());
    return true;
  case 'r':
    memoize(little<uint32_t>());
    return true;
  case 'h':
    recall(little<uint8_t>());
    return true;
  case 'j':
    recall(little<uint32_t>());
    return true;
  case 'c': {
    std::string module = line();
    stack.push_back({Global{module + "." + line()}});
    return true;
  }
  case 'R':
    reduce();
    return true;
  case 'Q':
    persistentId();
    return true;
  case 0x80:
    if (little<uint8_t>() > 3)
      refuse("is pickled by a protocol that torch.save does not use (above 3)");
    return true;
  default:
    return false;
  }
}

PtValue Interpreter::run() {
  for (;;) {
    auto op = little<uint8_t>();
    if (op == '.')
      break;
    if (!number(op) && !containers(op) && !objects(op))
      fail("opcode " + std::to_string(op) + " is none that plain data needs");
  }
  PtValue value = popValue();
  if (!stack.empty())
    fail("values are left on its stack");
  return value;
}

} // namespace

PtValue readPickle(std::string_view bytes, const StorageLoader &loader,
                   const std::string &path) {
  return Interpreter(bytes, loader, path).run();
}

} // namespace nxdt::runtime
