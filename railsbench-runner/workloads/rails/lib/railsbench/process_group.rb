# frozen_string_literal: true

require_relative "clock"

module Railsbench
  # A child process with all that it starts. They are a process group of their own, so that one
  # signal ends all of them, and they hold a pipe from this process, so that they end with it even
  # when it is killed (see Lifeline).
  class ProcessGroup
    # How long they may take to end by themselves, of the five seconds that the runner gives us.
    GRACE_SECONDS = 3

    attr_reader :process_id

    def initialize(*command, environment: {})
      reader, @lifeline = IO.pipe
      @process_id = Process.spawn(environment, *command, pgroup: true, in: reader)
      reader.close
    end

    # Waits for the child and ends what it left behind.
    def wait
      _, @status = Process.wait2(@process_id)
      signal(:KILL)
      @lifeline.close
      @status
    end

    # Asks, waits, and then makes sure.
    def stop
      signal(:TERM)
      finish = Clock.now + GRACE_SECONDS
      sleep 0.02 until gone? || Clock.now > finish
      signal(:KILL)
      @status || wait
    end

    private

    def gone?
      _, @status = Process.wait2(@process_id, Process::WNOHANG) unless @status
      @status && !signal(0)
    end

    # Whether there was anything to signal.
    def signal(name)
      Process.kill(name, -@process_id)
      true
    rescue Errno::ESRCH, Errno::EPERM
      # macOS says EPERM of a group that has only ended processes.
      false
    end
  end
end
