/** Names that package.json declares and the code needs as well. What they mean is said there. */

export const PANEL_VIEW_ID = 'apprentice.panel';
export const PARTICIPANT_ID = 'apprentice.chat';
export const MENU_COMMAND = 'apprentice.showMenu';
/** Of the language model in VS Code's list. */
export const VENDOR = 'apprentice';

/** The part of package.json that is read at run time. */
export interface Manifest {
  readonly contributes: { readonly commands: readonly { readonly command: string }[] };
}
