#include "train/train_linear.h"

#include <gtest/gtest.h>

#include "train/test_support.h"

namespace addend {
namespace {

using test::ExpectGradient;
using test::RandomMatrix;
using test::WeightedSum;

Matrix SlowProduct(const Linear& linear, ConstMatrixView x) {
  const Matrix weight = linear.ToDense();
  Matrix y(x.rows, weight.rows());
  for (size_t t = 0; t < y.rows(); ++t) {
    for (size_t r = 0; r < y.cols(); ++r) {
      double sum = linear.bias.empty() ? 0 : linear.bias[r];
      for (size_t c = 0; c < x.cols; ++c) sum += static_cast<double>(weight(r, c)) * x(t, c);
      y(t, r) = static_cast<float>(sum);
    }
  }
  return y;
}

void ExpectNear(ConstMatrixView a, ConstMatrixView b, double bound) {
  ASSERT_EQ(a.rows, b.rows);
  ASSERT_EQ(a.cols, b.cols);
  for (size_t r = 0; r < a.rows; ++r) {
    for (size_t c = 0; c < a.cols; ++c) ASSERT_NEAR(a(r, c), b(r, c), bound) << r << ", " << c;
  }
}

// 33 outputs, 70 inputs, rank 21: no multiples of any tile.
Linear Example(bool factored, bool bias) {
  Rng rng(5);
  return factored ? test::FactoredLinear(rng, 33, 70, 21, bias) : test::DenseLinear(rng, 33, 70, bias);
}

TEST(TrainLinear, ForwardIsTheProduct) {
  ThreadPool pool(2);
  Workspace workspace(pool);
  Rng rng(1);
  for (const bool factored : {false, true}) {
    for (const bool bias : {false, true}) {
      const Linear linear = Example(factored, bias);
      const TrainLinear train(linear, Precision::kExact);
      EXPECT_EQ(train.factored(), factored);
      for (const size_t tokens : {1, 64, 131}) {
        const Matrix x = RandomMatrix(rng, tokens, 70), expected = SlowProduct(linear, x);
        Matrix y(tokens, 33), from_tape(tokens, 33);
        train.Forward(x, y, nullptr, workspace);
        ExpectNear(y, expected, 3e-6);
        LinearTape tape;
        train.Forward(x, y, &tape, workspace);
        ExpectNear(y, expected, 3e-6);
        train.Output(tape, from_tape, workspace);
        ExpectNear(from_tape, y, 0);
      }
    }
  }
}

TEST(TrainLinear, GradientsMatchFiniteDifferences) {
  ThreadPool pool(2);
  Workspace workspace(pool);
  for (const bool factored : {false, true}) {
    TrainLinear linear(Example(factored, true), Precision::kExact);
    Rng rng(2);
    Matrix x = RandomMatrix(rng, 67, 70), y(67, 33), dx(67, 70);
    const Matrix dy = RandomMatrix(rng, 67, 33);
    LinearTape tape;
    const auto loss = [&] {
      linear.Forward(x, y, &tape, workspace);
      return WeightedSum(y, dy);
    };
    loss();
    LinearGradient gradient = linear.MakeGradient(/*wants_weight=*/true);
    linear.Backward(x, dy, tape, dx, &gradient, workspace);
    ExpectGradient("x", x.values(), dx.values(), loss);
    ExpectGradient("bias", linear.bias(), gradient.bias, loss);
    if (factored) {
      ExpectGradient("a", linear.a(), gradient.a, loss);
      ExpectGradient("mid", linear.mid(), gradient.mid, loss, 2e-3, 1e-3f);  // mid is small: 0.03
      ExpectGradient("b", linear.b(), gradient.b, loss);
      EXPECT_TRUE(gradient.weight.empty());
    } else {
      ExpectGradient("weight", linear.weight().values(), gradient.weight.values(), loss);
    }
  }
}

// Signs have no small steps, but y is linear in each: flipping one changes the loss by -2 s times its
// gradient.
TEST(TrainLinear, GradientsOfSignsTellWhatFlipsDo) {
  ThreadPool pool(2);
  Workspace workspace(pool);
  const Linear example = Example(/*factored=*/true, /*bias=*/true);
  TrainLinear linear(example, Precision::kExact);
  FactoredWeight weight = std::get<FactoredWeight>(example.weight);
  Rng rng(2);
  const Matrix x = RandomMatrix(rng, 67, 70), dy = RandomMatrix(rng, 67, 33);
  Matrix y(67, 33), dx(67, 70);
  LinearTape tape;
  const auto loss = [&] {
    linear.SetSigns(weight.A, weight.B);
    linear.Forward(x, y, &tape, workspace);
    return WeightedSum(y, dy);
  };
  const double before = loss();
  LinearGradient gradient = linear.MakeGradient(/*wants_weight=*/true);
  linear.Backward(x, dy, tape, dx, &gradient, workspace);
  const auto expect_flip = [&](SignMatrix& signs, const Matrix& of_signs, size_t r, size_t c) {
    const double expected = -2 * signs.Sign(r, c) * of_signs(r, c);
    signs.Set(r, c, !signs.IsPlus(r, c));
    EXPECT_NEAR(loss() - before, expected, 1e-3 * (1 + std::abs(expected))) << r << ", " << c;
    signs.Set(r, c, !signs.IsPlus(r, c));
  };
  for (size_t r = 0; r < weight.A.rows(); r += 5) {
    for (size_t c = 0; c < weight.A.cols(); c += 3) expect_flip(weight.A, gradient.A, r, c);
  }
  for (size_t r = 0; r < weight.B.rows(); r += 5) {
    for (size_t c = 0; c < weight.B.cols(); c += 3) expect_flip(weight.B, gradient.B, r, c);
  }
}

// a = 0 hides an output, and its gradient must still say how to bring it back.
TEST(TrainLinear, AScaleOfZeroHasAGradient) {
  ThreadPool pool(1);
  Workspace workspace(pool);
  TrainLinear linear(Example(true, true), Precision::kExact);
  linear.a()[3] = 0;
  Rng rng(2);
  const Matrix x = RandomMatrix(rng, 5, 70), dy = RandomMatrix(rng, 5, 33);
  Matrix y(5, 33), dx(5, 70);
  LinearTape tape;
  const auto loss = [&] {
    linear.Forward(x, y, &tape, workspace);
    return WeightedSum(y, dy);
  };
  loss();
  LinearGradient gradient = linear.MakeGradient();
  linear.Backward(x, dy, tape, dx, &gradient, workspace);
  EXPECT_NE(gradient.a[3], 0);
  ExpectGradient("a", linear.a(), gradient.a, loss);
}

TEST(TrainLinear, BackwardAddsAndDoesNotDependOnThreads) {
  for (const bool factored : {false, true}) {
    const TrainLinear linear(Example(factored, true));
    Rng rng(3);
    const Matrix x = RandomMatrix(rng, 300, 70), dy = RandomMatrix(rng, 300, 33);
    const auto run = [&](size_t threads, int times) {
      ThreadPool pool(threads);
      Workspace workspace(pool);
      Matrix y(300, 33), dx(300, 70);
      LinearTape tape;
      LinearGradient gradient = linear.MakeGradient(true);
      linear.Forward(x, y, &tape, workspace);
      for (int i = 0; i < times; ++i) linear.Backward(x, dy, tape, dx, &gradient, workspace);
      std::vector<float> all(dx.values().begin(), dx.values().end());
      for (const std::vector<float>* values : {&gradient.a, &gradient.mid, &gradient.b, &gradient.bias}) {
        all.insert(all.end(), values->begin(), values->end());
      }
      for (const Matrix* matrix : {&gradient.A, &gradient.B, &gradient.weight}) {
        all.insert(all.end(), matrix->values().begin(), matrix->values().end());
      }
      return all;
    };
    const std::vector<float> once = run(1, 1), twice = run(1, 2);
    EXPECT_EQ(run(2, 1), once);
    EXPECT_EQ(run(5, 1), once);
    for (size_t i = 0; i < once.size(); ++i) {
      EXPECT_NEAR(twice[i], 2 * once[i], 1e-5 * (1 + std::abs(once[i]))) << i;
    }
  }
}

}  // namespace
}  // namespace addend
