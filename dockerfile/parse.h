/*
 * From source to ast: directives, comments, continuations, heredocs, flags.
 * ERROR_SYNTAX with its place for: a wrong or repeated directive, an
 * unterminated heredoc, a file without instructions.
 */
#pragma once

#include "base/error.h"
#include "dockerfile/ast.h"
#include "dockerfile/source.h"

int parse_source(struct ast *out, const struct dockerfile_source *src, struct error *err);
