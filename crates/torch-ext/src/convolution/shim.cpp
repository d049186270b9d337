// Convolutions as ../convolution.rs describes them. The operators of the namespace `mkldnn` are
// libtorch's own, made for its compiler and reached by name; where a build lacks them, as on
// processors without oneDNN, everything falls back to at::conv2d. In bf16 pairs.h takes what it
// can.
// No exception leaves this file.

#include "by_pairs.h"
#include "columns.h"
#include "convolve.h"

#include <ATen/Context.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/mm.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cstring>

using at::Tensor;
using torch::jit::Stack;

namespace catscan {
namespace {

using Operator = std::optional<c10::OperatorHandle>;

Operator find(const char* name) { return c10::Dispatcher::singleton().findSchema({name, ""}); }

/// The operators' pointwise function without arguments: "none" or "relu".
template <typename... Arguments>
Tensor call(const c10::OperatorHandle& op, Arguments&&... arguments) {
  at::AutoDispatchBelowADInplaceOrView without_graph;
  Stack stack;
  torch::jit::push(stack, std::forward<Arguments>(arguments)...);
  op.callBoxed(&stack);
  return stack.at(0).toTensor();
}

c10::List<std::optional<at::Scalar>> no_scalars() {
  return c10::List<std::optional<at::Scalar>>();
}

const Operator& linear_operator() {
  static const Operator op = find("mkldnn::_linear_pointwise");
  return op;
}

const Operator& packed_operator() {
  static const Operator op = find("mkldnn::_convolution_pointwise");
  return op;
}

const Operator& pack_operator() {
  static const Operator op = find("mkldnn::_reorder_convolution_weight");
  return op;
}

bool knows_bf16() {
  static const bool knows = [] {
    const Operator op = find("mkldnn::_is_mkldnn_bf16_supported");
    if (!op) return false;
    Stack stack;
    op->callBoxed(&stack);
    return stack.at(0).toBool();
  }();
  return knows;
}

/// Whether oneDNN computes with such maps here.
bool fits(const Tensor& x) {
  return x.dim() == 4 && x.device().is_cpu() && x.numel() > 0 &&
         at::globalContext().userEnabledMkldnn() &&
         (x.scalar_type() == at::kFloat || (x.scalar_type() == at::kBFloat16 && knows_bf16()));
}

/// Pixels of a batch up to which a matrix product is the faster 1x1 convolution: a convolution
/// brings the weight into oneDNN's order and its gradient back, which few pixels do not repay.
constexpr int64_t kMostRows = 4096;
/// The same for larger kernels and strides, whose patches must be gathered first: in terms of the
/// channels that come in, as a weight has the more numbers for each of them.
constexpr int64_t kMostRowsPerChannel = 2;

/// Whether the pixels as they lie are the matrix that the weight is multiplied by.
bool is_plain(const Kernel& kernel) {
  return kernel.size == 1 && kernel.stride == 1 && kernel.padding == 0;
}

/// Whether the kernel has a place on such maps, and few of them.
bool has_few_places(const Tensor& x, const Kernel& kernel) {
  const int64_t side = std::min(x.size(2), x.size(3)) + 2 * kernel.padding;
  return side >= kernel.size && Places(x, kernel).count() <= kMostRowsPerChannel * x.size(1);
}

/// Whether the convolution is taken as products of pairs, of its patches.
bool is_patches(const Tensor& x, const Tensor& weight, bool has_bias, const Kernel& kernel) {
  if (!fits_pairs(x, weight, has_bias)) return false;
  return has_few_places(x, kernel) ||
         (kernel.size == 1 && Places(x, kernel).count() <= kMostRows);
}

/// Whether the convolution is taken as a matrix product, [N·H'·W', size·size·C] by [.., C'].
bool is_product(const Tensor& x, const Tensor& weight, const Kernel& kernel) {
  if (!fits(x) || !linear_operator() || weight.size(1) != x.size(1) ||
      weight.size(2) != weight.size(3) || !in_channels_last(x) || !in_channels_last(weight)) {
    return false;
  }
  return is_plain(kernel) ? x.numel() / x.size(1) <= kMostRows : has_few_places(x, kernel);
}

Kernel kernel_of(const Plan& plan, const Tensor& weight) {
  return {weight.size(2), plan.stride, plan.padding};
}

/// Ours walk through memory as the plan says it lies: of other tensors it is no plan.
void check(const Plan& plan, const Tensor& x, const Tensor& weight) {
  if (plan.way == Way::Library) return;
  const Kernel kernel = kernel_of(plan, weight);
  constexpr bool HAS_BIAS = false;
  const bool takes = plan.way == Way::Pairs     ? is_pairs(x, weight, HAS_BIAS, kernel)
                     : plan.way == Way::Patches ? is_patches(x, weight, HAS_BIAS, kernel)
                                                : is_product(x, weight, kernel);
  TORCH_CHECK(takes, "a convolution was planned for other maps or another weight than ", x.sizes(),
              " and ", weight.sizes());
}

void check(const Plan& plan, const Tensor& gradient, const Tensor& x, const Tensor& weight) {
  check(plan, x, weight);
  if (plan.way == Way::Library) return;
  const Places places(x, kernel_of(plan, weight));
  const int64_t sizes[] = {places.n, weight.size(0), places.places_h, places.places_w};
  TORCH_CHECK(gradient.sizes() == at::IntArrayRef(sizes), "a convolution's gradient is ",
              gradient.sizes(), ", want ", at::IntArrayRef(sizes));
}

/// The pixels of [N, C, H, W], one a row: [N·H·W, C].
Tensor rows(const Tensor& x) { return x.permute({0, 2, 3, 1}).reshape({-1, x.size(1)}); }

/// What the weight is multiplied by.
Tensor patches(const Tensor& x, const Kernel& kernel) {
  return is_plain(kernel) ? rows(x) : columns(x, kernel);
}

Tensor matrix(const Tensor& weight) {
  return weight.permute({0, 2, 3, 1}).reshape({weight.size(0), -1});
}

/// [R, C] by [O, C] -> [R, O].
Tensor linear(const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias) {
  return call(*linear_operator(), x, weight, bias, std::string("none"), no_scalars(),
              std::optional<std::string>(""));
}

/// [R, K] by [K, O], either of them transposed. libtorch's own product of fp32 is MKL's, which takes
/// twice as long on some processors; of bf16 it is oneDNN's, and the faster for such matrices.
Tensor multiply(const Tensor& a, const Tensor& b) {
  return a.scalar_type() == at::kBFloat16 ? at::mm(a, b) : linear(a, b.t(), std::nullopt);
}

/// Rows as pixels of one picture.
Tensor column(const Tensor& rows) { return map(rows, 1, rows.size(0), 1); }

Tensor by_patches(const Tensor& x, const Tensor& weight, const Kernel& kernel) {
  const Places places(x, kernel);
  const Tensor y = by_pairs(column(patches(x, kernel)), matrix(weight).unsqueeze(2).unsqueeze(3));
  return map(rows(y), places.n, places.places_h, places.places_w);
}

std::tuple<Tensor, Tensor, Tensor> by_patches_backward(const Tensor& gradient, const Tensor& x,
                                                       const Tensor& weight, const Kernel& kernel,
                                                       bool of_x, bool of_weight) {
  auto [grad_patches, grad_matrix, none] =
      by_pairs_backward(column(rows(gradient)), column(patches(x, kernel)),
                        matrix(weight).unsqueeze(2).unsqueeze(3), of_x, of_weight);
  Tensor grad_x, grad_weight;
  if (of_x) grad_x = sum_of_columns(rows(grad_patches), x, kernel);
  if (of_weight) {
    grad_weight = map(rows(grad_matrix).view({-1, x.size(1)}), weight.size(0), kernel.size,
                      kernel.size);
  }
  return {grad_x, grad_weight, none};
}

/// A convolution in one of our own ways, in the graph.
struct Ours : torch::autograd::Function<Ours> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x,
                        const Tensor& weight, const std::optional<Tensor>& bias,
                        const Plan& plan) {
    context->save_for_backward({x, weight});
    context->saved_data["biased"] = bias.has_value();
    context->saved_data["way"] = static_cast<int64_t>(plan.way);
    context->saved_data["stride"] = plan.stride;
    context->saved_data["padding"] = plan.padding;
    // Else the result were a view in the graph, and nothing could be added to it in place.
    at::AutoDispatchBelowADInplaceOrView without_graph;
    const Kernel kernel = kernel_of(plan, weight);
    if (plan.way == Way::Pairs) return by_pairs(x, weight);
    if (plan.way == Way::Patches) return by_patches(x, weight, kernel);
    const Places places(x, kernel);
    return map(linear(patches(x, kernel), matrix(weight), bias), places.n, places.places_h,
               places.places_w);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "a convolution has no gradient of a gradient here");
    if (!gradients[0].defined()) return {Tensor(), Tensor(), Tensor(), Tensor()};
    const auto saved = context->get_saved_variables();
    auto kept = [&](const char* name) { return context->saved_data[name].toInt(); };
    const Plan plan{static_cast<Way>(kept("way")), kept("stride"), kept("padding")};
    const bool biased = context->saved_data["biased"].toBool();
    auto [x, weight, bias] = convolve_backward(
        plan, gradients[0], saved[0], saved[1],
        {context->needs_input_grad(0), context->needs_input_grad(1),
         biased && context->needs_input_grad(2)});
    return {x, weight, bias, Tensor()};
  }
};

std::tuple<Tensor, Tensor, Tensor> product_backward(const Tensor& gradient, const Tensor& x,
                                                    const Tensor& weight, const Kernel& kernel,
                                                    std::array<bool, 3> wanted) {
  at::AutoDispatchBelowADInplaceOrView without_graph;
  Tensor grad_x, grad_weight, grad_bias;
  const Tensor g = rows(gradient);
  if (wanted[0]) {
    const Tensor grad_patches = multiply(g, matrix(weight));
    grad_x = is_plain(kernel) ? map(grad_patches, x.size(0), x.size(2), x.size(3))
                              : sum_of_columns(grad_patches, x, kernel);
  }
  if (wanted[1]) {
    const Tensor grad_matrix = multiply(g.t(), patches(x, kernel));
    grad_weight = map(grad_matrix.view({-1, x.size(1)}), weight.size(0), kernel.size, kernel.size);
  }
  if (wanted[2]) grad_bias = g.sum(0);
  return {grad_x, grad_weight, grad_bias};
}

}  // namespace

Plan plan(const Tensor& x, const Tensor& weight, bool has_bias, int64_t stride, int64_t padding) {
  const Kernel kernel{weight.size(2), stride, padding};
  Way way = Way::Library;
  if (is_pairs(x, weight, has_bias, kernel)) {
    way = Way::Pairs;
  } else if (is_patches(x, weight, has_bias, kernel)) {
    way = Way::Patches;
  } else if (is_product(x, weight, kernel)) {
    way = Way::Product;
  }
  return {way, stride, padding};
}

Tensor convolve(const Plan& plan, const Tensor& x, const Tensor& weight,
                const std::optional<Tensor>& bias) {
  check(plan, x, weight);
  if (plan.way == Way::Pairs || plan.way == Way::Patches) {
    return Ours::apply(x, weight, bias, plan);
  }
  const Tensor w = weight.to(x.scalar_type());
  if (plan.way == Way::Product) return Ours::apply(x, w, bias, plan);
  const int64_t stride = plan.stride, padding = plan.padding;
  return at::conv2d(x, w, bias, {stride, stride}, {padding, padding});
}

std::tuple<Tensor, Tensor, Tensor> convolve_backward(const Plan& plan, const Tensor& gradient,
                                                     const Tensor& x, const Tensor& weight,
                                                     std::array<bool, 3> wanted) {
  check(plan, gradient, x, weight);
  if (plan.way == Way::Pairs) {
    at::AutoDispatchBelowADInplaceOrView without_graph;
    return by_pairs_backward(gradient, x, weight, wanted[0], wanted[1]);
  }
  if (plan.way == Way::Patches) {
    at::AutoDispatchBelowADInplaceOrView without_graph;
    return by_patches_backward(gradient, x, weight, kernel_of(plan, weight), wanted[0], wanted[1]);
  }
  const Tensor w = weight.to(x.scalar_type());
  if (plan.way == Way::Product) {
    return product_backward(gradient, x, w, kernel_of(plan, w), wanted);
  }
  at::OptionalIntArrayRef bias_size;
  const int64_t outputs = w.size(0), stride = plan.stride, padding = plan.padding;
  if (wanted[2]) bias_size = at::IntArrayRef(outputs);
  return at::convolution_backward(gradient, x, w, bias_size, {stride, stride}, {padding, padding},
                                  {1, 1}, false, {0, 0}, 1, wanted);
}

}  // namespace catscan

namespace {

std::nullptr_t fail(const std::exception& error, char* message, size_t size) {
  std::strncpy(message, error.what(), size - 1);
  return nullptr;
}

std::optional<Tensor> optional(const Tensor* tensor) {
  return tensor ? std::optional<Tensor>(*tensor) : std::nullopt;
}

}  // namespace

using namespace catscan;

/// 0 none, 1 dot products, 2 tiles.
extern "C" int32_t catscan_conv2d_pairs() {
#ifdef CATSCAN_TILES
  if (kernels() == &pairs::tiles) return 2;
#endif
  return kernels() ? 1 : 0;
}

/// Shapes that no convolution has are for libtorch to refuse, in its words.
extern "C" void catscan_conv2d_plan(const Tensor* x, const Tensor* weight, bool has_bias,
                                    int64_t stride, int64_t padding, Plan* result) {
  try {
    *result = plan(*x, *weight, has_bias, stride, padding);
  } catch (const std::exception&) {
    *result = {Way::Library, stride, padding};
  }
}

extern "C" Tensor* catscan_conv2d(const Plan* plan, const Tensor* x, const Tensor* weight,
                                  const Tensor* bias, char* message, size_t size) {
  try {
    return new Tensor(convolve(*plan, *x, *weight, optional(bias)));
  } catch (const std::exception& error) {
    return fail(error, message, size);
  }
}

/// Writes a new tensor, or null, for each of the three gradients.
extern "C" bool catscan_conv2d_backward(const Plan* plan, const Tensor* gradient, const Tensor* x,
                                        const Tensor* weight, const bool* wanted, Tensor** results,
                                        char* message, size_t size) {
  try {
    auto [gx, gw, gb] = convolve_backward(*plan, *gradient, *x, *weight,
                                          {wanted[0], wanted[1], wanted[2]});
    const Tensor found[3] = {gx, gw, gb};
    for (int i = 0; i < 3; ++i) {
      if (wanted[i]) results[i] = new Tensor(found[i]);
    }
    return true;
  } catch (const std::exception& error) {
    fail(error, message, size);
    return false;
  }
}

extern "C" bool catscan_conv2d_packs(const Tensor* x) {
  try {
    return packed_operator() && pack_operator() && fits(*x);
  } catch (const std::exception&) {
    return false;
  }
}

/// The weight in the order that oneDNN wants it in for maps of this size; of use to
/// `catscan_conv2d_packed` only.
extern "C" Tensor* catscan_conv2d_pack(const Tensor* weight, const Tensor* x, int64_t stride,
                                       int64_t padding, char* message, size_t size) {
  try {
    const std::vector<int64_t> strides(2, stride), paddings(2, padding), dilations(2, 1);
    return new Tensor(call(*pack_operator(), *weight, paddings, strides, dilations, int64_t(1),
                           std::optional<std::vector<int64_t>>(x->sizes().vec())));
  } catch (const std::exception& error) {
    return fail(error, message, size);
  }
}

extern "C" Tensor* catscan_conv2d_packed(const Tensor* x, const Tensor* packed, const Tensor* bias,
                                         int64_t stride, int64_t padding, bool relu, char* message,
                                         size_t size) {
  try {
    const std::vector<int64_t> strides(2, stride), paddings(2, padding), dilations(2, 1);
    return new Tensor(call(*packed_operator(), *x, *packed, optional(bias), paddings, strides,
                           dilations, int64_t(1), std::string(relu ? "relu" : "none"),
                           no_scalars(), std::optional<std::string>("")));
  } catch (const std::exception& error) {
    return fail(error, message, size);
  }
}
