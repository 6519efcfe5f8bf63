# frozen_string_literal: true

module Railsbench
  # Ends this process and all that it started when its parent is no more. Standard input is a pipe
  # that only the parent holds: reading from it blocks, without a single wake-up, until it is gone.
  module Lifeline
    def self.hold
      # Started by hand, from a shell, the group would be the shell's too.
      return unless Process.getpgrp == Process.pid

      Thread.new do
        $stdin.read
        Process.kill(:KILL, -Process.pid)
      end
    end
  end
end
