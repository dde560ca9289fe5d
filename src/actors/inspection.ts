import type { InspectionEvent } from 'xstate';

/** What an actor is created with so that somebody sees what it does. Empty when nobody looks: then nothing is told. */
export type Inspection = { readonly inspect?: (event: InspectionEvent) => void };
