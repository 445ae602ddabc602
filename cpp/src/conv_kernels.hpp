#pragma once

// What convolutions ask of an instruction set, and how they cut their work.

#include "epilogue.hpp"
#include "kernel.hpp"

namespace fastnn::cpu {

/// What tiles multiply; see conv_kernel.hpp.
template <class T> struct ConvProduct {
  const T* a;
  const Index* a_rows;
  const Index* stretch;
  Index stretches, length, step;
  const T* b;          // all panels
  Index depth, first;  // rows in a panel of b, and the first one used
  T* c;
  const Index* c_rows;
  Index rows, cols, panels;
  bool accumulate;
  const T* bias = nullptr;  // of the columns, added last; or none
  bool relu = false;        // after that
  ColumnNorm<T> norm = {};  // between the two
};

/// Rows of x and of the gradients of y whose products are summed for all taps of a row of windows; see
/// tap_gradient_kernel.hpp.
template <class T> struct TapProduct {
  const T* const* x;  // the lines of each row
  const T* dy;
  Index rows, x_pixel, in, dy_row, dy_pixel, out, left;
  T* dw;
  const Index* places;  // of tap 0 of each line
  Index tap;            // the distance of taps
  int width;            // columns
  Index ahead;          // how far behind dy what will be read next lies
  bool inner;           // whether all windows lie inside of rows
};

/// Memory that will be read.
struct Piece {
  const void* begin;
  Index lines;
};
constexpr Index kLineBytes = 64;

/// What tiles for windows of one pixel multiply; see point_kernel.hpp.
template <class T> struct PointProduct {
  const T* a;
  Index a_row, a_col;  // one of the two is 1: a_col if both are, and a_row where sums are added to c
  const T* b;
  T* c;
  Index c_row;
  Index rows, cols, depth, panels;
  bool accumulate;    // where rows are whole tiles and cols whole vectors
  const Piece* next;  // what will be read for the next ones
  Index nexts;
  const T* bias = nullptr;  // as in ConvProduct
  bool relu = false;
  ColumnNorm<T> norm = {};
};
/// What the rows of kernel gradients are a multiple of: those of a tile, and of whole vectors where they
/// become columns.
constexpr Index kPointChannels = 16;

/// Pixels of a tile of images in lanes at most, and of as many tiles as keep their windows in the first-level
/// cache.
constexpr Index kImagePixels = 8, kImageTile = 24;

/// Windows of images that lie side by side, lane by lane; see image_lanes_kernel.hpp.
template <class T> struct ImageProduct {
  const T* x;
  const Index* pixels;  // where their windows begin in x
  Index count;
  const Index* stretch;
  Index stretches, length;  // in vectors
  const T* w;               // (stretches length, channels)
  Index channels;
  T* y;  // (count, channels, lanes), of which at least kImagePixels are written
};

/// Sums of such images on their way to where each image has its own place; see image_lanes_kernel.hpp.
template <class T> struct ImageResults {
  const T* x;  // (elements, lanes), and as many more as a vector has lanes
  T* y;
  Index y_image, images, elements, channels;
  const T* bias;  // of the channels, again and again for a vector more, as are those of norm; or none
  ColumnNorm<T> norm;
  bool relu;
};

/// Sums of products of such images and of gradients of results, image by image; see image_lanes_kernel.hpp.
template <class T> struct ImageSums {
  const T* x;
  const Index* places;  // of elements of the window in x
  Index elements;       // in whole tiles
  Index rows, pixels, x_row, x_pixel;
  const T* dy;  // (rows, pixels, channels, lanes)
  Index channels;
  T* sums;  // (elements, channels, lanes), added to
};

/// One of Winograd's algorithms, the same for rows and columns.
struct WinogradForm {
  Index taps, stride, results;
  Index advance;  // pixels from a tile to the next
  Index side;     // pixels that the results of a tile read
  Index points;   // products
  Index weights;  // numbers that a kernel becomes; the last is a factor of all further products
  // Channels in, and channels in times channels out, from which on products outweigh transforms.
  Index channels, least, least_gradient;
  /// Which of weights x weights numbers is a factor of product e of points x points.
  constexpr Index place(Index e) const {
    const Index row = e / points, col = e % points;
    return (row < weights ? row : weights - 1) * weights + (col < weights ? col : weights - 1);
  }
  /// Whether one before it has the same factor.
  constexpr bool shares(Index e) const { return e / points >= weights || e % points >= weights; }
};
constexpr WinogradForm six_points(Index results, Index taps) {
  return {taps, 1, results, results, 6, 6, 6, 8, taps < 5 ? 8 * 32 : 12 * 32, taps < 5 ? 8 * 24 : 8 * 32};
}
constexpr WinogradForm kWinogradStrideTwo{3, 2, 2, 4, 5, 5, 4, 16, 32 * 64, 16 * 16};
constexpr WinogradForm kWinogradStrideTwoGradient{3, 1, 4, 2, 3, 5, 4, 64, 32 * 64, 0};
constexpr WinogradForm kWinogradThreePoints{2, 1, 2, 2, 3, 3, 3, 8, 32 * 64, 32 * 32};

/// Its transforms; see winograd_kernel.hpp.
template <class T> struct WinogradKernels {
  WinogradForm form;
  void (*patch)(const T* x, Index x_row, Index x_pixel, T* v, Index v_step, Index channels);
  void (*kernel)(const T* g, Index g_step, T* u, Index u_step, Index n);
  void (*results)(const T* m, Index m_step, const T* bias, const ColumnNorm<T>& norm, bool relu, T* y,
                  Index y_row, Index y_pixel, int rows, int cols, Index channels);
  void (*gradients)(const T* y, Index y_row, Index y_pixel, T* v, Index v_step, Index channels);
  void (*kernel_gradient)(const T* m, Index m_step, T* g, Index g_step, Index n);
};

/// One array element type and instruction set.
template <class T> struct ConvKernels {
  Index lanes, tile_rows, tile_vectors, point_rows, point_vectors;
  void (*multiply)(const ConvProduct<T>&, Index panel, Index panels);
  void (*pack)(const T* x, Index x_row, Index x_col, T* y, Index depth, Index first, Index rows, Index cols,
               Index panels, Index panel);
  void (*pack_rows)(const T* x, Index x_row, T* y, Index rows, Index cols, Index panels, Index begin,
                    Index end);
  void (*block)(const T* x, Index x_pixel, Index pixels, Index channels, T* y, Index y_block);
  void (*add)(const T* x, Index stride, Index count, T* y, Index n);
  void (*scatter)(const T* g, Index g_step, Index rows, Index n, const Index* places, T* y);
  Index (*tap_lines)(Index taps);
  void (*tap_gradient)(const TapProduct<T>& p, Index taps, Index lines);
  void (*point_multiply)(const PointProduct<T>&, Index panel, Index panel_end);
  void (*image_lanes)(const ImageProduct<T>&);
  void (*image_results)(const ImageResults<T>&);
  Index image_sum_rows;
  void (*image_sums)(const ImageSums<T>&);
  void (*image_totals)(const T* x, T* y, Index n);
  WinogradKernels<T> winograd[5];
  WinogradKernels<T> stride_two_gradient;  // which makes no kernel gradients
};

FASTNN_DECLARE(const ConvKernels<T>&, conv_kernels, ())

}  // namespace fastnn::cpu
