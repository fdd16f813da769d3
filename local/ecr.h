/* What the embedded registry of the local target asks its ECR. */
#pragma once

#include <stdbool.h>

/*
 * imageTagMutability of a repository (registry_server_options.is_immutable): arg is the struct local, whose state's lock the caller does
 * not hold.
 */
bool ecr_keeps_tag(void *arg, const char *repository, const char *tag);
