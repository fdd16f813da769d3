/* Paths as text: nothing here touches a file system. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Go's path.Clean: "a//b/./../c" -> "a/c", "" -> ".", "/.." -> "/". free() */
char *path_clean(const char *path);
/* path_clean("/" + path): absolute, ".." clamped at the root. free() */
char *path_clean_absolute(const char *path);
/* Cleans base + "/" + path, or path alone when it is absolute. free() */
char *path_resolve(const char *base, const char *path);
char *path_join(const char *dir, const char *name); /* one '/' between; free() */
const char *path_base(const char *path);            /* after the last '/'; a view */
char *path_dir(const char *path);                   /* Go's path.Dir; free() */
bool path_is_absolute(const char *path);
/* Is path equal to dir or below it? Both clean. */
bool path_is_below(const char *path, const char *dir);
/*
 * Go's path.Match for one path component or a whole path: * ? [a-z] [^..] \x;
 * * and ? do not cross '/'. Returns 1 match, 0 none, -1 malformed pattern.
 */
int path_match(const char *pattern, const char *name);
bool path_has_wildcard(const char *path); /* * ? [ or \ */
