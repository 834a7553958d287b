/** Every migration of this version of the library, in their order. */
import { createOutbox } from "./0001_create_outbox.ts"
import { rateLimit } from "./0002_rate_limit.ts"
import { deliveryStatus } from "./0003_delivery_status.ts"
import { workDeadline } from "./0004_work_deadline.ts"
import type { Migration } from "./migration.ts"

export const migrations: ReadonlyArray<Migration> = [createOutbox, rateLimit, deliveryStatus, workDeadline]
