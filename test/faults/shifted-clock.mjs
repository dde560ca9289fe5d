/** Loaded into a broker before all else (`--import`): its clock is off by CLOCK_SHIFT_MS. Timers are not concerned. */
const shift = Number(process.env.CLOCK_SHIFT_MS);
const { now } = Date;
const shifted = () => now.call(Date) + shift;

globalThis.Date = class extends Date {
  static now() {
    return shifted();
  }

  constructor(...given) {
    super(...(given.length ? given : [shifted()]));
  }
};
