import htm from 'htm';
import { h } from 'preact';

/** Markup as a tagged template. Values are put in as text, never as markup. */
export const html = htm.bind(h);
