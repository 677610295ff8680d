/** The errors that people are told of: kvassfs/errors.py. A message is a sentence that says what to do, where something can be done. */

export class KvassError extends Error {}

/** No entry can have such a key. */
export class InvalidKey extends KvassError {
  /**
   * @param {string} key
   * @param {string} reason
   */
  constructor(key, reason) {
    super(`There can be no key "${key.slice(0, 40)}": ${reason}.`);
  }
}

/** What was sealed with the key is no message that is understood. */
export class InvalidMessage extends KvassError {
  /** @param {string} reason */
  constructor(reason) {
    super(`A message of the hub cannot be understood: ${reason}.`);
  }
}

/** A number is none that an entry can have. */
export class OutOfRange extends InvalidMessage {
  /**
   * @param {string} key
   * @param {string} name
   * @param {number | bigint} number
   */
  constructor(key, name, number) {
    super(`the ${name} of "${key.slice(0, 40)}" is out of range (${number})`);
  }
}

/** A body was sealed with another key, or is damaged. */
export class Undecipherable extends KvassError {
  constructor() {
    super("it was encrypted with another key, or is damaged");
  }
}
