import { conclude } from './conclusion.ts';
import { deploy } from './deployment.ts';
import type { History } from './history.ts';
import { inflict } from './inflict.ts';
import type { Plan } from './plan.ts';
import { Recording } from './recording.ts';
import { surroundingsOf } from './surroundings.ts';
import { User } from './user.ts';

/** Carries a plan out: load and faults, then healing, then rest. Answers what there is to know of it. */
export async function run(plan: Plan): Promise<History> {
  await using deployment = await deploy(plan, new Recording());
  const around = surroundingsOf(deployment);
  const users = plan.users.map((user) => new User(user, around));
  await Promise.all([inflict(plan.faults, deployment), ...users.map((user) => user.talk())]);
  return await conclude(deployment, users, around);
}
