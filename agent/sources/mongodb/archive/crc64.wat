;; CRC-64/ECMA, reflected, eight bytes a step ("slicing by 8").
;; Memory: eight tables of 256 i64 from 0 to 16384, filled by the host; the data anywhere behind them.
(module
  (import "host" "memory" (memory 1))
  (func (export "crc64") (param $crc i64) (param $at i32) (param $length i32) (result i64)
    (local $end i32) (local $last i32) (local $word i64)
    (local.set $last (i32.add (local.get $at) (local.get $length)))
    (local.set $end (i32.add (local.get $at) (i32.and (local.get $length) (i32.const -8))))
    (block $words_done
      (loop $words
        (br_if $words_done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $word (i64.xor (local.get $crc) (i64.load (local.get $at))))
        (local.set $crc
          (i64.xor
            (i64.xor
              (i64.xor
                (i64.load offset=14336 (i32.shl (i32.and (i32.wrap_i64 (local.get $word)) (i32.const 255)) (i32.const 3)))
                (i64.load offset=12288 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $word) (i64.const 8))) (i32.const 255)) (i32.const 3))))
              (i64.xor
                (i64.load offset=10240 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $word) (i64.const 16))) (i32.const 255)) (i32.const 3)))
                (i64.load offset=8192 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $word) (i64.const 24))) (i32.const 255)) (i32.const 3)))))
            (i64.xor
              (i64.xor
                (i64.load offset=6144 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $word) (i64.const 32))) (i32.const 255)) (i32.const 3)))
                (i64.load offset=4096 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $word) (i64.const 40))) (i32.const 255)) (i32.const 3))))
              (i64.xor
                (i64.load offset=2048 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $word) (i64.const 48))) (i32.const 255)) (i32.const 3)))
                (i64.load (i32.shl (i32.wrap_i64 (i64.shr_u (local.get $word) (i64.const 56))) (i32.const 3)))))))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br $words)))
    (block $bytes_done
      (loop $bytes
        (br_if $bytes_done (i32.ge_u (local.get $at) (local.get $last)))
        (local.set $crc
          (i64.xor
            (i64.load (i32.shl (i32.and (i32.xor (i32.wrap_i64 (local.get $crc)) (i32.load8_u (local.get $at))) (i32.const 255)) (i32.const 3)))
            (i64.shr_u (local.get $crc) (i64.const 8))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $bytes)))
    (local.get $crc)))
