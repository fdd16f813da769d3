/* JSON for programs that read what a command prints. */
#pragma once

#include "base/json.h"

/* To standard output, indented, with a newline at its end. */
void json_print(const json_t *json);
