/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* alert_cmd - "warren-aggregator render" and "notify-test": templates and receivers tried out. */

/* argv[0] is the command. Return the exit status. */
int alert_cmd_render(int argc, char **argv);
int alert_cmd_test(int argc, char **argv);
