// A node of libtorch's autograd graph that keeps the inputs of a segment instead of all that the
// segment computed, and runs the segment again in backward. Rust has no way to make one.
//
// The segment is a Rust closure behind two function pointers; ../recompute.rs says what it may do.
// No exception leaves this file, and no panic enters it.

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/csrc/autograd/variable.h>

#include <cstring>
#include <optional>
#include <unordered_set>

#include "../convolution/convolve.h"

using at::Tensor;
using namespace torch::autograd;

namespace {

/// The closure: `run` answers a new tensor that we own, or null with a message; `drop` frees it.
struct Segment {
  void* closure;
  Tensor* (*run)(void* closure, Tensor* const* inputs, size_t count, char* message, size_t size);
  void (*drop)(void* closure);
};

struct Recompute : Node {
  std::vector<SavedVariable> inputs;
  SavedVariable weight;  // of the convolution that closes the segment, if there is one
  Segment segment;
  const std::optional<catscan::Plan> plan;  // the same convolution's

  Recompute(Segment segment, std::optional<catscan::Plan> plan) : segment(segment), plan(plan) {}
  ~Recompute() override { free_closure(); }

  std::string name() const override { return "catscan::Recompute"; }

  void release_variables() override {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto& input : inputs) input.reset_data();
    weight.reset_data();
    free_closure();
  }

  variable_list apply(variable_list&& gradients) override {
    std::lock_guard<std::mutex> lock(mutex_);
    TORCH_CHECK(!at::GradMode::is_enabled(),
                "recompute: cannot give a gradient of a gradient; switch recomputation off");
    variable_list results(inputs.size() + (plan ? 1 : 0));
    Tensor gradient = gradients[0];
    if (!gradient.defined()) return results;

    // Unpacking fails, in libtorch's words, once the graph is freed or an input overwritten.
    variable_list leaves;
    for (const auto& input : inputs) {
      Tensor x = input.unpack();
      leaves.push_back(x.detach().set_requires_grad(x.requires_grad()));
    }
    Tensor y = run_again(leaves);
    if (plan) {
      // y is linear in both factors, so its backward needs no convolution forward.
      Tensor w = weight.unpack().detach();
      auto [gx, gw, _] = catscan::convolve_backward(
          *plan, gradient, y.detach(), w,
          {y.requires_grad(), task_should_compute_output(inputs.size()), false});
      results.back() = gw;
      gradient = gx;
    }
    variable_list wanted;
    for (size_t i = 0; i < leaves.size(); ++i) {
      if (leaves[i].requires_grad() && task_should_compute_output(i)) wanted.push_back(leaves[i]);
    }
    if (wanted.empty() || !y.requires_grad()) return results;
    auto found = grad({y}, wanted, {gradient}, false, false, /*allow_unused=*/true);
    for (size_t i = 0, next = 0; next < wanted.size(); ++i) {
      if (leaves[i].is_same(wanted[next])) results[i] = found[next++];
    }
    return results;
  }

 private:
  Tensor run_again(variable_list& leaves) {
    at::AutoGradMode record(true);
    std::vector<Tensor*> pointers;
    for (auto& leaf : leaves) pointers.push_back(&leaf);
    char message[512] = {0};
    std::unique_ptr<Tensor> y(segment.run(segment.closure, pointers.data(), pointers.size(),
                                          message, sizeof message));
    TORCH_CHECK(y, "recompute: the segment failed when run again: ", message);
    refuse_strangers(*y, leaves);
    return *y;
  }

  /// A captured tensor that wants a gradient would silently get none.
  static void refuse_strangers(const Tensor& y, const variable_list& leaves) {
    std::unordered_set<Node*> seen = {nullptr};  // our leaves are seen from the start
    for (const auto& leaf : leaves) seen.insert(impl::grad_accumulator(leaf).get());
    std::vector<Node*> open = {y.grad_fn().get()};
    while (!open.empty()) {
      Node* node = open.back();
      open.pop_back();
      if (!seen.insert(node).second) continue;
      TORCH_CHECK(node->num_outputs() > 0,
                  "recompute: the segment captures a tensor that wants a gradient; "
                  "pass it as an input");
      for (const auto& edge : node->next_edges()) open.push_back(edge.function.get());
    }
  }

  void free_closure() {
    if (segment.closure) segment.drop(segment.closure);
    segment.closure = nullptr;
  }
};

}  // namespace

/// Makes `output` the segment's result in the graph: a handle of the same values whose gradient
/// comes from running the segment again. Takes the closure over, even when it fails; then it
/// answers null and writes why. Weight and plan are null where no convolution closes the segment.
extern "C" Tensor* catscan_recompute(const Tensor* output, Tensor* const* inputs, size_t count,
                                     const Tensor* weight, const catscan::Plan* plan,
                                     Segment segment, char* message, size_t size) {
  try {
    const auto kept = plan ? std::optional<catscan::Plan>(*plan) : std::nullopt;
    std::shared_ptr<Recompute> node(new Recompute(segment, kept), deleteNode);
    edge_list edges;
    bool wanted = false;
    for (size_t i = 0; i < count + (weight ? 1 : 0); ++i) {
      const Tensor& input = i < count ? *inputs[i] : *weight;
      TORCH_CHECK(!output->is_alias_of(input),
                  "recompute: the segment must make a new tensor, not a view of an input");
      edges.push_back(impl::gradient_edge(input));
      wanted |= edges.back().is_valid();
      if (i < count) node->inputs.emplace_back(input, /*is_output=*/false);
    }
    if (!wanted || !at::GradMode::is_enabled()) return new Tensor(*output);
    if (weight) node->weight = SavedVariable(*weight, /*is_output=*/false);
    node->set_next_edges(std::move(edges));
    auto result = std::make_unique<Tensor>(output->variable_data());
    impl::set_gradient_edge(*result, {node, node->add_input_metadata(*result)});
    return result.release();
  } catch (const std::exception& error) {
    std::strncpy(message, error.what(), size - 1);
    return nullptr;
  }
}
