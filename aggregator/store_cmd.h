/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_cmd - "warren-aggregator check", "backup" and "restore": a store seen from outside, for the
 * people who run it. The first two may be used while an aggregator runs.
 */

/* argv[0] is the name of the command. Each returns the exit status. */
int store_cmd_check(int argc, char **argv);
int store_cmd_backup(int argc, char **argv);
int store_cmd_restore(int argc, char **argv);
