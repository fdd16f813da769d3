/* Clocks and their text forms. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

int64_t time_now(void);    /* seconds since 1970 */
int64_t time_now_ns(void); /* nanoseconds since 1970 */
int64_t time_monotonic_ns(void);
/* RFC 3339 in UTC: "2026-11-22T10:00:00Z"; with nanoseconds when ns != 0. */
#define TIME_TEXT_SIZE 40
void time_format(int64_t sec, int64_t ns, char out[TIME_TEXT_SIZE]);
int time_parse(const char *text, int64_t *sec, struct error *err);
/* Go's time.ParseDuration into nanoseconds: "1h30m", "1.5s", "-2ms", "0". */
int time_parse_duration(const char *text, int64_t *ns, struct error *err);
/* The inverse, as Go's Duration.String: "1m30s", "1.5s". */
void time_format_duration(int64_t ns, char out[TIME_TEXT_SIZE]);
/* "3 minutes ago", as docker images prints it. */
void time_format_ago(int64_t seconds, char out[TIME_TEXT_SIZE]);
