/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * explain_cmd - "warren-aggregator explain": why a group is judged as it is, for people on a
 * terminal, from the store of an aggregator that may be running.
 */

/* Have the command find the rules: leave in data_dir which configuration the aggregator runs with.
 * Failing does no harm: then it has to be told. */
void explain_cmd_note(const char *data_dir, const char *config);

/* argv[0] is "explain". Returns the exit status. */
int explain_cmd(int argc, char **argv);
