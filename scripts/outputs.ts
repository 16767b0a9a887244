// The types of everything that programs read from us, each under the name of its file in docs/schemas; see schemas.mjs.
import type { DoctorReport } from '../src/cli/doctor/run-checks.js';
import type { ListOutput } from '../src/cli/images/list.js';
import type { RunSummary } from '../src/cli/runs/list.js';
import type { RunDetails } from '../src/cli/runs/show.js';
import type { WhichLine } from '../src/events/results.js';
import type { ImagingEvent } from '../src/events/types.js';
import type { WatchMessage } from '../src/monitor/live/change-log.js';
import type { NodeHealth } from '../src/runs/health.js';
import type { RunPlan } from '../src/runs/plan-file.js';
import type { RunResult } from '../src/runs/result-file.js';

export type Outputs = {
  event: ImagingEvent;
  plan: RunPlan;
  result: RunResult;
  'runs-list': RunSummary[];
  'runs-show': RunDetails;
  'runs-stats': NodeHealth[];
  which: WhichLine;
  watch: WatchMessage;
  list: ListOutput;
  doctor: DoctorReport;
};
