/**
 * A value that can be watched: what the model hands to the views. Not a state library; there is nothing derived, nothing
 * batched, and equal values are not told.
 */
export interface Readable<T> {
  get(): T;
  subscribe(listener: () => void): () => void;
}

export class Signal<T> implements Readable<T> {
  #value: T;
  #listeners = new Set<() => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get = (): T => this.#value;

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) listener();
  }

  update(change: (value: T) => T): void {
    this.set(change(this.#value));
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
}
