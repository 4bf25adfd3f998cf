/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * judge_cmd - "warren-aggregator judge": recorded cases through the judge, with what it says and,
 * where the truth is known, whether that is right.
 */

/* argv[0] is "judge". Returns the exit status: failure when anything that counts is wrong. */
int judge_cmd(int argc, char **argv);
