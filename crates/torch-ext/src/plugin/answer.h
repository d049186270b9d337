// What the plugin's functions share: none lets an exception out. Each gives 0, or 1 with a message.
#pragma once

#include <cstring>
#include <exception>

#define CATSCAN_PLUGIN extern "C" __attribute__((visibility("default")))

template <typename Work>
int answer(char* message, size_t size, Work&& work) {
  try {
    work();
    return 0;
  } catch (const std::exception& error) {
    std::strncpy(message, error.what(), size - 1);
  } catch (...) {
    std::strncpy(message, "an error that is no std::exception", size - 1);
  }
  // libtorch adds its own stack, line after line; the first line is what happened.
  if (char* end = std::strchr(message, '\n')) *end = 0;
  return 1;
}
