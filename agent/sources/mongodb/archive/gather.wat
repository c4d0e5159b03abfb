;; Moves the documents of a BSON array together, in place, so that they lie one behind the other as in an archive.
;; $at is behind the length of the array, $end at its closing zero. Returns the bytes of the documents and their number,
;; or -1 and 0 where the array holds something else than whole documents.
(module
  (import "host" "memory" (memory 1))
  (func (export "gather") (param $at i32) (param $end i32) (result i32 i32)
    (local $to i32) (local $begin i32) (local $length i32) (local $stop i32) (local $count i32)
    (local.set $begin (local.get $at))
    (local.set $to (local.get $at))
    (block $done
      (loop $element
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (if (i32.ne (i32.load8_u (local.get $at)) (i32.const 3))
          (then (return (i32.const -1) (i32.const 0))))
        ;; the key of an element is its number; nothing depends on it
        (loop $key
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (if (i32.ge_u (local.get $at) (local.get $end))
            (then (return (i32.const -1) (i32.const 0))))
          (br_if $key (i32.load8_u (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (if (i32.lt_u (i32.sub (local.get $end) (local.get $at)) (i32.const 5))
          (then (return (i32.const -1) (i32.const 0))))
        (local.set $length (i32.load (local.get $at)))
        (if (i32.or
              (i32.lt_u (local.get $length) (i32.const 5))
              (i32.gt_u (local.get $length) (i32.sub (local.get $end) (local.get $at))))
          (then (return (i32.const -1) (i32.const 0))))
        ;; a document ends with a zero
        (if (i32.load8_u (i32.sub (i32.add (local.get $at) (local.get $length)) (i32.const 1)))
          (then (return (i32.const -1) (i32.const 0))))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (if (i32.gt_u (local.get $length) (i32.const 256))
          (then
            (memory.copy (local.get $to) (local.get $at) (local.get $length))
            (local.set $to (i32.add (local.get $to) (local.get $length)))
            (local.set $at (i32.add (local.get $at) (local.get $length))))
          (else ;; a call costs more than so few bytes; forward, so that nothing is overwritten that is still to be read
            (local.set $stop (i32.add (local.get $at) (i32.and (local.get $length) (i32.const -8))))
            (block $words_done
              (loop $words
                (br_if $words_done (i32.ge_u (local.get $at) (local.get $stop)))
                (i64.store (local.get $to) (i64.load (local.get $at)))
                (local.set $to (i32.add (local.get $to) (i32.const 8)))
                (local.set $at (i32.add (local.get $at) (i32.const 8)))
                (br $words)))
            (local.set $stop (i32.add (local.get $at) (i32.and (local.get $length) (i32.const 7))))
            (block $bytes_done
              (loop $bytes
                (br_if $bytes_done (i32.ge_u (local.get $at) (local.get $stop)))
                (i32.store8 (local.get $to) (i32.load8_u (local.get $at)))
                (local.set $to (i32.add (local.get $to) (i32.const 1)))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))
                (br $bytes)))))
        (br $element)))
    (i32.sub (local.get $to) (local.get $begin))
    (local.get $count)))
